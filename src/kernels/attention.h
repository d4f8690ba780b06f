#pragma once

#include <torch/torch.h>

#include <optional>

namespace sfumato {

/// softmax(scale query key^T + bias) value for inference on a CPU with AVX-512, in float32 or bfloat16, without storing
/// all scores: keys are visited in blocks, and sums are corrected whenever a larger score is found (Milakov &
/// Gimelshein 2018; Dao et al. 2022, FlashAttention). Scores, exponentials and sums are float32. query [N, heads, L,
/// d], key and value [N, heads, S, d], contiguous in d; bias is undefined or [N or 1, 1, 1, S]. Returns [N, heads, L,
/// d], a view of contiguous [N, L, heads * d], or nothing where LibTorch's operator must be used.
std::optional<torch::Tensor> blocked_attention(const torch::Tensor& query, const torch::Tensor& key,
                                               const torch::Tensor& value, const torch::Tensor& bias, double scale);

}  // namespace sfumato
