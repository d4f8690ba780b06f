#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "nn/layers.h"

namespace sfumato {

/// Pools states [N, L, C] to [N, C] by attention with one query, their mean plus a learned vector (diffusers'
/// AttentionPooling).
class AttentionPoolingImpl : public torch::nn::Module {
 public:
  AttentionPoolingImpl(std::int64_t num_heads, std::int64_t embed_dim);
  torch::Tensor forward(const torch::Tensor& states);

  torch::Tensor positional_embedding;  // [1, C]

 private:
  torch::Tensor heads(const torch::Tensor& y) const;

  Linear k_proj_{nullptr}, q_proj_{nullptr}, v_proj_{nullptr};
  std::int64_t num_heads_;
};
TORCH_MODULE(AttentionPooling);

/// Pooled text in the time embedding, after Imagen (diffusers' TextTimeEmbedding): norm, attention pooling,
/// projection, norm.
class TextTimeEmbeddingImpl : public torch::nn::Module {
 public:
  TextTimeEmbeddingImpl(std::int64_t encoder_dim, std::int64_t time_embed_dim, std::int64_t num_heads);
  /// States [N, L, encoder_dim]: [N, time_embed_dim].
  torch::Tensor forward(const torch::Tensor& states);

 private:
  LayerNorm norm1_{nullptr}, norm2_{nullptr};
  AttentionPooling pool_{nullptr};
  Linear proj_{nullptr};
};
TORCH_MODULE(TextTimeEmbedding);

}  // namespace sfumato
