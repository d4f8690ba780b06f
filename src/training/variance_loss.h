#pragma once

#include <torch/torch.h>

#include "diffusion/variational_bound.h"

namespace sfumato {

/// L_vlb of L_hybrid = L_simple + lambda L_vlb (Nichol & Dhariwal 2021, eq. 16) for a network that predicts
/// mean and variance: T times the mean over the rows of the bound's term at each row's timestep, in bits per
/// dimension, as in the improved DDPM code. Its gradient stops at the mean's half of `raw` [N, 2C, H, W].
torch::Tensor variance_loss(const VariationalBound& bound, const torch::Tensor& x0, const torch::Tensor& xt,
                            const torch::Tensor& raw, const torch::Tensor& t);

}  // namespace sfumato
