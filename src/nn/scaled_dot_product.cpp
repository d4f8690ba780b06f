#include "nn/scaled_dot_product.h"

#include <cmath>

#include "kernels/attention.h"

namespace sfumato {
namespace {

/// Forward and backward pass of 16 images, 64 tokens, 3 heads on one core of a Zen 4: 8.4 ms fused, 2.5 ms by products.
/// In float32 the fused operator is faster.
bool is_faster_by_products(const torch::Tensor& query) {
  return query.is_cpu() && query.scalar_type() == torch::kBFloat16 && query.requires_grad();
}

}  // namespace

torch::Tensor scaled_dot_product(const torch::Tensor& query, const torch::Tensor& key, const torch::Tensor& value,
                                 const std::optional<torch::Tensor>& bias, std::optional<double> scale) {
  const auto factor = scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  if (auto mixed = blocked_attention(query, key, value, bias.value_or(torch::Tensor()), factor)) return *mixed;
  if (!is_faster_by_products(query))
    return at::scaled_dot_product_attention(query, key, value, bias, /*dropout_p=*/0, /*is_causal=*/false, scale);
  auto scores = query.matmul(key.transpose(-1, -2)) * factor;
  if (bias) scores = scores + *bias;
  return scores.softmax(-1, value.scalar_type()).matmul(value);
}

}  // namespace sfumato
