#pragma once

#include <torch/torch.h>

#include <optional>
#include <utility>

#include "kernels/group_norm.h"

/// Layers by our own CUDA kernels (kernels/cuda_library.h), with sums in float32. Each returns nothing where the caller
/// must use LibTorch's operators: on another device, with gradients or autocast, in another dtype or memory format, or
/// without the library. Each throws c10::Error if a kernel cannot be launched.
namespace sfumato {

/// fused_group_norm on CUDA.
std::optional<torch::Tensor> cuda_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                             const GroupNormFusion& fusion);

/// value * gelu(gate), where value and gate [..., C] are the halves of input + bias; input [..., 2C], bias [2C] or
/// undefined.
std::optional<torch::Tensor> cuda_geglu(const torch::Tensor& input, const torch::Tensor& bias);

/// True if cuda_geglu accepts a contiguous input of this device and dtype.
bool has_cuda_geglu(const torch::Tensor& input);

/// x + residual, and its layer norm over the last dimension. x and residual [..., C], weight and bias [C].
std::optional<std::pair<torch::Tensor, torch::Tensor>> cuda_add_layer_norm(const torch::Tensor& x,
                                                                           const torch::Tensor& residual,
                                                                           const torch::Tensor& weight,
                                                                           const torch::Tensor& bias, double eps);

}  // namespace sfumato
