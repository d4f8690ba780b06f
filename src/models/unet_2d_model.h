#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/config.h"
#include "nn/embeddings.h"
#include "nn/unet_blocks.h"

namespace sfumato {

/// config.json of diffusers' UNet2DModel, with its defaults.
struct UNet2DModelConfig {
  /// Side in pixels, or height and width; empty if the file has null.
  OneOrMany sample_size;
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  bool center_input_sample = false;
  /// 0 for 4 block_out_channels[0].
  std::int64_t time_embedding_dim = 0;
  double freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types{"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"};
  /// UNetMidBlock2D, or "" for none (null in the file).
  std::string mid_block_type = "UNetMidBlock2D";
  std::vector<std::string> up_block_types{"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"};
  std::vector<std::int64_t> block_out_channels{224, 448, 672, 896};
  std::int64_t layers_per_block = 2;
  double mid_block_scale_factor = 1;
  std::int64_t downsample_padding = 1;
  /// conv or resnet; only for blocks with attention, as in diffusers.
  std::string downsample_type = "conv";
  std::string upsample_type = "conv";
  double dropout = 0;
  std::string act_fn = "silu";
  /// Channels of a head; 0 for one head (null in the file).
  std::int64_t attention_head_dim = 8;
  std::int64_t norm_num_groups = 32;
  /// Groups of the norm before the mid block's attention; 0 for norm_num_groups (null in the file).
  std::int64_t attn_norm_num_groups = 0;
  double norm_eps = 1e-5;
  std::string resnet_time_scale_shift = "default";
  bool add_attention = true;
  /// "", timestep or identity.
  std::string class_embed_type;
  /// With class_embed_type "": rows of a table of class embeddings; 0 for none.
  std::int64_t num_class_embeds = 0;

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static UNet2DModelConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;
  /// Throws std::invalid_argument if the values do not fit together.
  void validate() const;
};

/// Unconditional or class-conditional UNet of DDPM (Ho et al. 2020; diffusers' UNet2DModel).
class UNet2DModelImpl : public torch::nn::Module {
 public:
  using Config = UNet2DModelConfig;
  /// Throws std::invalid_argument as Config::validate does.
  explicit UNet2DModelImpl(Config config);

  /// Returns the raw prediction [N, out_channels, H, W] in the weights' dtype for sample [N, in_channels, H, W],
  /// timestep [N] or one for all ([] or [1]), and class_labels [N] if the network has classes.
  torch::Tensor forward(const torch::Tensor& sample, const torch::Tensor& timestep,
                        const torch::Tensor& class_labels = {});
  torch::Tensor forward(const torch::Tensor& sample, double timestep);

  const Config& config() const { return config_; }
  /// Renames attention in older checkpoints.
  static std::string rename_key(const std::string& key) { return rename_attention_key(key); }

  Conv2d conv_in{nullptr};
  /// The last layer; training may start it from zero.
  Conv2d conv_out{nullptr};

 private:
  void add_class_embedding(std::int64_t time_embed_dim);
  void add_blocks(std::int64_t temb_channels);
  UNetBlockOptions block_options(std::int64_t channels, std::int64_t temb_channels) const;
  torch::Tensor waves(const torch::Tensor& timesteps, torch::Dtype dtype) const;
  torch::Tensor class_embedding(const torch::Tensor& class_labels, torch::Dtype dtype) const;

  Config config_;
  TimestepEmbedding time_embedding_{nullptr};
  std::function<torch::Tensor(const torch::Tensor&)> embed_class_;
  UNetBlocks blocks_;
  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(UNet2DModel);

}  // namespace sfumato
