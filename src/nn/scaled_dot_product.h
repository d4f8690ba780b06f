#pragma once

#include <torch/torch.h>

#include <optional>

namespace sfumato {

/// softmax(scale query key^T + bias) value for heads [N, heads, L, d]; `bias` broadcasts to [N, heads, L, S], `scale`
/// is 1 / sqrt(d) by default (Vaswani et al. 2017, eq. 1; torch's scaled_dot_product_attention). Training in bfloat16
/// on a CPU uses plain products, whose backward pass is several times as fast as the fused operator's.
torch::Tensor scaled_dot_product(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                                 const std::optional<torch::Tensor>& bias = {}, std::optional<double> scale = {});

}  // namespace sfumato
