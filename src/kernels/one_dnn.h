#pragma once

#include <torch/torch.h>

#include <optional>

namespace sfumato {

/// act(x W^T + b) by oneDNN, act "none" or "gelu"; nothing if LibTorch was built without oneDNN. x [..., in], weight
/// [out, in], bias [out] or undefined: [..., out]. A matrix may be a transposed one.
std::optional<torch::Tensor> one_dnn_linear(const torch::Tensor& x, const torch::Tensor& weight,
                                            const torch::Tensor& bias, const char* act = "none");

/// other * (x W^T + b), likewise.
std::optional<torch::Tensor> one_dnn_linear_times(const torch::Tensor& x, const torch::Tensor& other,
                                                  const torch::Tensor& weight, const torch::Tensor& bias);

}  // namespace sfumato
