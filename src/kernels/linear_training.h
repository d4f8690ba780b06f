#pragma once

#include <torch/torch.h>

namespace sfumato {

/// x W^T + b with gradients, whose three products are oneDNN's. x [..., in], weight [out, in], bias [out] or undefined,
/// all float32 on the CPU: [..., out].
torch::Tensor trainable_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);

/// a^T b for matrices [rows, M] and [rows, N] in float32 on the CPU: [M, N].
torch::Tensor product_over_rows(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace sfumato
