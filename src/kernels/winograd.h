#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if convolve_winograd accepts these tensors and is faster: plain inference, channels in whole vectors, and an
/// image large enough to outweigh the transform of the weights.
bool winograd_pays(const torch::Tensor& x, const torch::Tensor& weight);

/// 3x3 convolution of stride 1 and padding 1 by Winograd's F(4x4, 3x3) (Lavin & Gray 2016), which needs a quarter of
/// the multiplications of the direct sum. x [N, C, H, W], weight [O, C, 3, 3], bias [O] or undefined: [N, O, H, W],
/// channels-last, without gradients. Its polynomials are evaluated at 0, +-sqrt(1/2), +-sqrt(2) and infinity rather
/// than at integers: the rounding error is then about that of the direct sum. In bfloat16 it computes in float32.
torch::Tensor convolve_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// True if trainable_winograd accepts these tensors and is faster: training in float32, otherwise as winograd_pays.
bool winograd_pays_in_training(const torch::Tensor& x, const torch::Tensor& weight);

/// The convolution of convolve_winograd in float32 with gradients, which are Winograd convolutions too.
torch::Tensor trainable_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace sfumato
