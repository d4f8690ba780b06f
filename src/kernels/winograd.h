#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Whether convolve_winograd takes these tensors and gains by it: plain inference, whole vectors of channels, and an
/// image large enough to pay for the transform of the weights.
bool winograd_pays(const torch::Tensor& x, const torch::Tensor& weight);

/// 3x3 convolution of stride 1 and padding 1 by F(4x4, 3x3) of Winograd (Lavin & Gray 2016), which multiplies a quarter
/// as often as the sum that defines it. x [N, C, H, W], weight [O, C, 3, 3], bias [O] or undefined: [N, O, H, W],
/// channels-last, without gradients. Its polynomials are evaluated at 0, +-sqrt(1/2), +-sqrt(2) and infinity rather
/// than at whole numbers: the rounding error is then about that of the direct sum.
torch::Tensor convolve_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace sfumato
