#pragma once

#include <torch/torch.h>

#include "nn/layers.h"

namespace sfumato {

/// conv(norm(x)) + added, with `fusion` in the norm's pass. x [N, C, H, W]; added [N, O, H, W] or undefined. Where the
/// convolution's kernel computes the norm as well, the normed image is never stored. Elsewhere x is freed, if the
/// caller moved it, before the result is allocated.
torch::Tensor normed_convolution(GroupNorm& norm, const GroupNormFusion& fusion, Conv2d& conv, torch::Tensor x,
                                 const torch::Tensor& added = {});

}  // namespace sfumato
