#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "models/unet_2d_condition_config.h"
#include "nn/embeddings.h"
#include "nn/layers.h"
#include "nn/text_time_embedding.h"
#include "nn/unet_blocks.h"

namespace sfumato {

/// Inputs of UNet2DConditionModel and ControlNetModel. Tensors are on the network's device, in any floating dtype.
struct UNet2DConditionInput {
  /// Noisy latents [N, in_channels, H, W].
  torch::Tensor sample;
  /// Real-valued or integer timesteps [N], or one for all, [] or [1].
  torch::Tensor timestep;
  /// The text encoder's states [N, L, cross_attention_dim (or encoder_hid_dim)].
  torch::Tensor encoder_hidden_states;
  /// text_keys_values of those states, or of R rows of which N/R adjacent rows of the sample each share one; empty to
  /// compute them.
  std::vector<torch::Tensor> text_keys_values;
  /// [N, L]: 1 (or true) keeps a state, 0 hides it; undefined keeps all.
  torch::Tensor encoder_attention_mask;
  /// Class ids [N], or the values that class_embed_type requires.
  torch::Tensor class_labels;
  /// [N, time_cond_proj_dim], such as the guidance embedding of a distilled model.
  torch::Tensor timestep_cond;
  /// SDXL's pooled text [N, P] and sizes [N, 6].
  torch::Tensor text_embeds, time_ids;
  /// Residuals that ControlNets add to the features of the down and mid blocks (only for a UNet); empty or undefined
  /// for none. Each has its feature's shape or broadcasts to it.
  std::vector<torch::Tensor> down_block_additional_residuals;
  torch::Tensor mid_block_additional_residual;
  /// Layers and rows whose self-attention is the identity.
  IdentityAttention identity = {};
  /// Attention map to record.
  AttentionWatch watch = {};
};

/// Common part of UNet2DConditionModel and ControlNetModel: the embeddings of time, class and text, conv_in, the down
/// blocks and the mid block, under diffusers' names.
class UNet2DConditionEncoder : public torch::nn::Module {
 public:
  const UNet2DConditionModelConfig& unet_config() const { return config_; }

  /// Returns the keys and values of the text's states [R, L, cross_attention_dim (or encoder_hid_dim)] in each layer
  /// that attends to them, [R, 2, L, heads * channels of a head]. They depend on neither the sample nor the timestep.
  std::vector<torch::Tensor> text_keys_values(const torch::Tensor& encoder_hidden_states);
  /// Number of those layers.
  std::size_t text_layers() const { return text_layers_.size(); }

  Conv2d conv_in{nullptr};

 protected:
  /// Throws std::invalid_argument as the config's validate does.
  explicit UNet2DConditionEncoder(UNet2DConditionModelConfig config);

  /// Converts the noisy latents for conv_in, to the weights' dtype.
  torch::Tensor conv_input(const torch::Tensor& sample) const;
  BlockConditions conditions(const UNet2DConditionInput& input, torch::Dtype dtype);
  /// Finds the layers of text_keys_values; called once all blocks are there.
  void find_text_layers() { text_layers_ = cross_attention_layers(*this); }
  /// Options of the blocks with block_out_channels[block] that down and up blocks share.
  UNetBlockOptions block_options(std::size_t block) const;

  /// Blocks without up_blocks.
  UNetBlocks blocks_;

 private:
  void add_text_embedding(std::int64_t time_embed_dim);
  void add_class_embedding(std::int64_t time_embed_dim);
  void add_down_blocks();
  void add_mid_block();
  torch::Tensor time_embedding(const UNet2DConditionInput& input, torch::Dtype dtype);
  torch::Tensor class_embedding(const torch::Tensor& class_labels, torch::Dtype dtype) const;
  torch::Tensor text_time_embedding(const UNet2DConditionInput& input, torch::Dtype dtype);
  torch::Tensor attended_states(const torch::Tensor& encoder_hidden_states, torch::Dtype dtype);
  CrossAttention cross_attention(const UNet2DConditionInput& input, torch::Dtype dtype);

  UNet2DConditionModelConfig config_;
  std::int64_t temb_channels_ = 0;
  TimestepEmbedding time_embedding_{nullptr}, add_embedding_{nullptr};
  TextTimeEmbedding text_embedding_{nullptr};  // add_embedding of addition_embed_type text
  std::function<torch::Tensor(const torch::Tensor&)> embed_class_;
  Linear encoder_hid_proj_{nullptr};
  std::vector<AttentionImpl*> text_layers_;
};

/// Returns a square convolution that keeps height and width.
Conv2d same_size_conv(std::int64_t in, std::int64_t out, std::int64_t kernel);

/// Attention after each resnet of a block of this type, and the change of size at the block's end.
BlockAttention attention_of(const std::string& block_type);
BlockResample resample_of_block(const std::string& block_type);

}  // namespace sfumato
