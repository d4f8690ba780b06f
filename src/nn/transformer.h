#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

#include "nn/attention.h"
#include "nn/attention_watch.h"
#include "nn/identity_attention.h"
#include "nn/layers.h"

namespace sfumato {

/// Inputs that a transformer attends to besides its own tokens.
struct CrossAttention {
  /// The text encoder's states [N, L, cross_attention_dim].
  torch::Tensor encoder_hidden_states;
  /// Their keys and values in each layer (AttentionImpl::keys_and_values); empty to compute them.
  std::map<const AttentionImpl*, torch::Tensor> keys_and_values = {};
  /// Added to the scores, [N, 1, 1, L]: 0 keeps a state, -10000 hides it; undefined keeps all.
  torch::Tensor bias;
  /// Layers and rows whose self-attention is the identity.
  IdentityAttention identity = {};
  AttentionWatch watch = {};

  /// Returns the input of a layer in which x attends to the text.
  AttentionInput input_of(const AttentionImpl& layer, const torch::Tensor& x) const;
};

/// A position-wise layer of width 4 dim (diffusers' FeedForward). activation_fn: geglu (Shazeer 2020), gelu or
/// gelu-approximate (tanh). Throws std::invalid_argument for another.
class FeedForwardImpl : public torch::nn::Module {
 public:
  explicit FeedForwardImpl(std::int64_t dim, const std::string& activation_fn = "geglu");
  /// Returns the layer of x [..., dim], plus `added` [..., dim] if it is defined.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& added = {});
  /// Packs the first layer (pack_weights in nn/packing.h).
  void pack() { project_in_->pack(gated_ ? 2 : 1); }

 private:
  torch::nn::ModuleList net_;
  Linear project_in_{nullptr}, project_out_{nullptr};
  bool gated_;
  std::string approximate_;
};
TORCH_MODULE(FeedForward);

struct TransformerOptions {
  std::int64_t num_attention_heads = 8;
  std::int64_t attention_head_dim = 64;
  std::int64_t num_layers = 1;
  std::int64_t cross_attention_dim = 768;
  std::int64_t norm_num_groups = 32;
  bool use_linear_projection = false;
  /// True if the first attention also attends to the text.
  bool only_cross_attention = false;
};

/// Self-attention, cross-attention and feed-forward, each after a layer norm and added (diffusers'
/// BasicTransformerBlock with norm_type layer_norm).
class BasicTransformerBlockImpl : public torch::nn::Module {
 public:
  BasicTransformerBlockImpl(std::int64_t dim, const TransformerOptions& options);
  /// x [N, L, dim].
  torch::Tensor forward(const torch::Tensor& x, const CrossAttention& cross);

 private:
  LayerNorm norm1_{nullptr}, norm2_{nullptr}, norm3_{nullptr};
  Attention attn1_{nullptr}, attn2_{nullptr};
  FeedForward ff_{nullptr};
  bool only_cross_attention_;
};
TORCH_MODULE(BasicTransformerBlock);

/// Residual transformer blocks over the pixels of an image (diffusers' Transformer2DModel with continuous input).
class Transformer2DModelImpl : public torch::nn::Module {
 public:
  Transformer2DModelImpl(std::int64_t in_channels, const TransformerOptions& options);
  /// x [N, in_channels, H, W].
  torch::Tensor forward(const torch::Tensor& x, const CrossAttention& cross);

 private:
  GroupNorm norm_{nullptr};
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  Linear linear_in_{nullptr}, linear_out_{nullptr};
  torch::nn::ModuleList transformer_blocks_;
};
TORCH_MODULE(Transformer2DModel);

}  // namespace sfumato
