#include "nn/text_time_embedding.h"

#include "nn/scaled_dot_product.h"

namespace sfumato {

AttentionPoolingImpl::AttentionPoolingImpl(std::int64_t num_heads, std::int64_t embed_dim) : num_heads_(num_heads) {
  positional_embedding = register_parameter("positional_embedding", torch::empty({1, embed_dim}));
  k_proj_ = register_module("k_proj", Linear(embed_dim, embed_dim));
  q_proj_ = register_module("q_proj", Linear(embed_dim, embed_dim));
  v_proj_ = register_module("v_proj", Linear(embed_dim, embed_dim));
}

/// [N, L, C] -> [N, heads, L, C / heads].
torch::Tensor AttentionPoolingImpl::heads(const torch::Tensor& y) const {
  return y.unflatten(-1, {num_heads_, y.size(-1) / num_heads_}).transpose(1, 2);
}

torch::Tensor AttentionPoolingImpl::forward(const torch::Tensor& states) {
  const auto query = states.mean(1, /*keepdim=*/true) + positional_embedding;  // [N, 1, C]
  const auto attended = torch::cat({query, states}, 1);                        // [N, 1 + L, C]
  const auto pooled = scaled_dot_product(heads(q_proj_(query)), heads(k_proj_(attended)), heads(v_proj_(attended)));
  return pooled.flatten(1);  // [N, C]
}

TextTimeEmbeddingImpl::TextTimeEmbeddingImpl(std::int64_t encoder_dim, std::int64_t time_embed_dim,
                                             std::int64_t num_heads) {
  norm1_ = register_module("norm1", LayerNorm(encoder_dim));
  pool_ = register_module("pool", AttentionPooling(num_heads, encoder_dim));
  proj_ = register_module("proj", Linear(encoder_dim, time_embed_dim));
  norm2_ = register_module("norm2", LayerNorm(time_embed_dim));
}

torch::Tensor TextTimeEmbeddingImpl::forward(const torch::Tensor& states) {
  return norm2_(proj_(pool_(norm1_(states))));
}

}  // namespace sfumato
