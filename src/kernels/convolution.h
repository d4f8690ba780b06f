#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if convolve_patches accepts these tensors and is faster: inference on the CPU, channels-last, and an image so
/// small that a convolution would spend its time rearranging the weights.
bool patches_pay(const torch::Tensor& x, const torch::Tensor& weight);

/// 3x3 convolution of stride 1 and padding 1 as one matrix product of the weights and each pixel's surroundings. x
/// [N, C, H, W] and weight [O, C, 3, 3], both channels-last; bias [O] or undefined: [N, O, H, W], channels-last.
torch::Tensor convolve_patches(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace sfumato
