#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

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

/// Input of an attention layer.
struct AttentionInput {
  torch::Tensor x;  ///< [N, L, query_dim]
  /// [N, K, cross_attention_dim] to attend to; undefined for x itself.
  torch::Tensor states = {};
  /// keys_and_values(states) of R rows, in place of `states`. R divides N, and N/R adjacent rows of x share a row.
  torch::Tensor keys_and_values = {};
  torch::Tensor bias = {};   ///< added to the scores, [N, 1, 1, K]; may be undefined
  torch::Tensor added = {};  ///< added to the output, [N, L, query_dim]; may be undefined
  /// Number of last rows in which self-attention is the identity: each token keeps its own value.
  std::int64_t identity_rows = 0;
};

/// Multi-head attention (diffusers' Attention with AttnProcessor2_0) by scaled_dot_product_attention, which sums in
/// float32 for any dtype, so that upcast_attention has no further effect.
class AttentionImpl : public torch::nn::Module {
 public:
  explicit AttentionImpl(const AttentionOptions& options);
  /// Returns [N, L, query_dim].
  torch::Tensor forward(const AttentionInput& input);
  /// Returns the keys and values of states [N, K, D] that are attended to besides x, or in its place: [N, 2, K, heads *
  /// dim_head]. Throws c10::Error for self-attention.
  torch::Tensor keys_and_values(const torch::Tensor& states);
  /// Returns the self-attention that each token of x [N, L, query_dim] receives from all tokens, averaged over the
  /// heads: float32 [N, L], of sum L.
  torch::Tensor received(const torch::Tensor& x);
  /// Self-attention between the pixels of input.x [N, query_dim, H, W], in its memory format. With added_kv_proj_dim
  /// they also attend to `states` [N, K, added_kv_proj_dim] (diffusers' AttnAddedKVProcessor2_0), and `bias` [N, 1, 1,
  /// K] is added to the scores of those. Accepts neither `added` nor `identity_rows`.
  torch::Tensor forward_image(const AttentionInput& input);

  bool is_self_attention() const { return options_.cross_attention_dim == 0 && options_.added_kv_proj_dim == 0; }

 private:
  torch::Tensor normed(const torch::Tensor& x);
  torch::Tensor heads(const torch::Tensor& y) const;
  torch::Tensor forward_with_identity(const AttentionInput& input);
  torch::Tensor attend(const AttentionInput& input);
  torch::Tensor attend_to_rows(const AttentionInput& input);
  torch::Tensor attend_added(const AttentionInput& input);
  torch::Tensor output(const torch::Tensor& mixed, const torch::Tensor& added = {});
  torch::Tensor finished(const torch::Tensor& hidden, const torch::Tensor& residual) const;

  GroupNorm group_norm_{nullptr};
  Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr}, add_k_proj_{nullptr}, add_v_proj_{nullptr};
  torch::nn::ModuleList to_out_;
  AttentionOptions options_;
};
TORCH_MODULE(Attention);

/// Returns the layers within `network` that attend to states given to it, in the order of its modules.
std::vector<AttentionImpl*> cross_attention_layers(const torch::nn::Module& network);

/// Converts [N, C, H, W] to tokens [N, H*W, C]: a view if x is channels-last.
torch::Tensor image_to_tokens(const torch::Tensor& x);

/// Converts tokens [N, H*W, C] to an image with the height, width and memory format of `like`.
torch::Tensor tokens_to_image(const torch::Tensor& tokens, const torch::Tensor& like);

}  // namespace sfumato
