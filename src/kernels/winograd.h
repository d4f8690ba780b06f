#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>

#include "kernels/group_norm.h"

namespace sfumato {

/// Layers around a convolution that are computed while it reads x and writes its result, without a copy of the image.
struct ConvolutionFusion {
  /// A norm of x, applied before the padding with zeros.
  std::optional<NormAffine> norm = {};
  /// Upsamples x first to so many times its height and width, 1 or 2, by nearest neighbours.
  std::int64_t upsampling = 1;
  /// Added to the result: of its shape and dtype, or undefined.
  torch::Tensor added = {};
};

/// True if convolve_winograd accepts these tensors and is faster: plain inference, channels in whole vectors, and an
/// image, after the upsampling, large enough to outweigh the transform of the weights.
bool winograd_pays(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t upsampling = 1);

/// 3x3 convolution of stride 1 and padding 1 by Winograd's F(4x4, 3x3) in float32 and F(2x2, 3x3) in bfloat16 (Lavin &
/// Gray 2016), which need 1/4 and 4/9 of the multiplications of the direct sum. x [N, C, H, W], weight [O, C, 3, 3],
/// bias [O] or undefined: [N, O, H, W], channels-last, without gradients. The rounding error is about that of the
/// direct sum in float32, and 2.5 times that in bfloat16 (winograd_maps.h). H and W are x's after the upsampling.
torch::Tensor convolve_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                const ConvolutionFusion& fusion = {});

/// True if trainable_winograd accepts these tensors and is faster: training in float32, or in bfloat16 (also by
/// autocast, with weights in float32), otherwise as winograd_pays.
bool winograd_pays_in_training(const torch::Tensor& x, const torch::Tensor& weight);

/// The convolution of convolve_winograd with gradients, which are Winograd convolutions too, in the dtype of
/// training_dtype. Weights in float32 are rounded after their transform, and their gradient is not rounded.
torch::Tensor trainable_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace sfumato
