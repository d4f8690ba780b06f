#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "nn/layers.h"

namespace sfumato {

struct AttentionOptions {
  std::int64_t query_dim = 320;
  /// Width of the states that x attends to; 0 for self-attention.
  std::int64_t cross_attention_dim = 0;
  /// Width of states whose keys and values come before those of self-attention; 0 for none.
  std::int64_t added_kv_proj_dim = 0;
  /// With added_kv_proj_dim: their keys and values alone.
  bool only_cross_attention = false;
  std::int64_t heads = 8;
  std::int64_t dim_head = 64;
  /// Biases of to_q, to_k and to_v; to_out always has one.
  bool bias = false;
  /// Groups of a norm on the input; 0 for none.
  std::int64_t norm_num_groups = 0;
  double eps = 1e-5;
  bool residual_connection = false;
  double rescale_output_factor = 1;
};

/// Multi-head attention (diffusers' Attention with AttnProcessor2_0) by scaled_dot_product_attention, which sums in
/// float32 for any dtype, so that upcast_attention has no further effect.
class AttentionImpl : public torch::nn::Module {
 public:
  explicit AttentionImpl(const AttentionOptions& options);
  /// x [N, L, query_dim] attends to `states` [N, K, cross_attention_dim], or to itself if they are undefined; `bias`
  /// [N, 1, 1, K], if defined, is added to the scores.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& states = {}, const torch::Tensor& bias = {});
  /// Self-attention in which the last `rows` of x [N, L, query_dim] keep their own values.
  torch::Tensor forward_with_identity(const torch::Tensor& x, std::int64_t rows);
  /// Returns the self-attention that each token of x [N, L, query_dim] receives from all tokens, averaged over the
  /// heads: float32 [N, L], of sum L.
  torch::Tensor received(const torch::Tensor& x);
  /// Self-attention between the pixels of x [N, query_dim, H, W], in its memory format. With added_kv_proj_dim they
  /// also attend to `states` [N, K, added_kv_proj_dim] (diffusers' AttnAddedKVProcessor2_0), and `bias` [N, 1, 1, K]
  /// is added to the scores of those where defined.
  torch::Tensor forward_image(const torch::Tensor& x, const torch::Tensor& states = {}, const torch::Tensor& bias = {});

  bool is_self_attention() const { return options_.cross_attention_dim == 0 && options_.added_kv_proj_dim == 0; }

 private:
  torch::Tensor normed(const torch::Tensor& x);
  torch::Tensor heads(const torch::Tensor& y) const;
  torch::Tensor attend(const torch::Tensor& x, const torch::Tensor& states, const torch::Tensor& bias);
  torch::Tensor attend_added(const torch::Tensor& x, const torch::Tensor& states, const torch::Tensor& bias);
  torch::Tensor output(const torch::Tensor& mixed);
  torch::Tensor finished(const torch::Tensor& hidden, const torch::Tensor& residual) const;

  GroupNorm group_norm_{nullptr};
  Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr}, add_k_proj_{nullptr}, add_v_proj_{nullptr};
  torch::nn::ModuleList to_out_;
  AttentionOptions options_;
};
TORCH_MODULE(Attention);

/// Converts [N, C, H, W] to tokens [N, H*W, C]: a view if x is channels-last.
torch::Tensor image_to_tokens(const torch::Tensor& x);

/// Converts tokens [N, H*W, C] to an image with the height, width and memory format of `like`.
torch::Tensor tokens_to_image(const torch::Tensor& tokens, const torch::Tensor& like);

}  // namespace sfumato
