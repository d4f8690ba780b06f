#pragma once

#include <torch/torch.h>

#include "kernels/group_norm.h"

namespace sfumato {

/// The norm of x [N, C, H, W] with its fusion, and with gradients of x, the parameters and the time embedding. x is
/// float32 or bfloat16 on the CPU, channels-last, with a number of channels that is a multiple of lanes::kWidest. Sums
/// are in float32 and wider. Throws c10::Error in a backward pass with create_graph.
torch::Tensor trainable_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                   const GroupNormFusion& fusion);

}  // namespace sfumato
