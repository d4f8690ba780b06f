#pragma once

#include <torch/torch.h>

#include "core/random.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// One generator an image of the request: seed, seed + 1, ..., or `seed` for all of them where a subseed varies it.
NoiseSource noise_of(const Request& request);

/// The noise [N, *shape] that sampling starts from: drawn from `noise`, with that of the request's subseeds mixed in.
torch::Tensor first_noise(const Request& request, NoiseSource& noise, at::IntArrayRef shape);

/// The same in the shape and on the device of latents [N, C, h, w].
torch::Tensor first_noise_like(const torch::Tensor& latents, const Request& request, NoiseSource& noise);

/// Spherical interpolation from `low` to `high` [N, C, h, w] as AUTOMATIC1111's web UI computes it: each column of each
/// channel is a vector. Linear, and from `high` to `low`, for an image whose vectors are parallel, as there.
torch::Tensor mix_noise(double part, const torch::Tensor& low, const torch::Tensor& high);

}  // namespace sfumato
