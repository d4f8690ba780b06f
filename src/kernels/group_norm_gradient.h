#pragma once

#include <torch/torch.h>

#include "kernels/group_norm.h"
#include "kernels/group_norm_statistics.h"

namespace sfumato::group_norm {

/// Gradients of a norm's inputs, each in the dtype of its input; undefined where the input is.
struct InputGradients {
  torch::Tensor x, weight, bias, added, scale, shift;
};

/// Values of the forward pass that the gradient needs.
struct ForwardPass {
  torch::Tensor x;
  Moments moments;
  NormMap map;
  bool silu = false;
};

/// Gradients by dy, that of the norm's output. dy [N, C, H, W] has x's dtype and is channels-last.
InputGradients gradients_of(const ForwardPass& pass, const torch::Tensor& dy, const GroupNormParameters& parameters,
                            const GroupNormFusion& fusion);

}  // namespace sfumato::group_norm
