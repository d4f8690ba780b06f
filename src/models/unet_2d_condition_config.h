#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/config.h"

namespace sfumato {

/// config.json of diffusers' UNet2DConditionModel, with its defaults: the options of Stable Diffusion 1, 2 and XL, and
/// of the networks that attend to text and image at once (SimpleCrossAttnDownBlock2D: GLIDE and its descendants).
struct UNet2DConditionModelConfig {
  /// Side in latent pixels, or height and width; empty if the file has null.
  OneOrMany sample_size;
  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  bool center_input_sample = false;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::vector<std::string> down_block_types{"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                                            "DownBlock2D"};
  /// UNetMidBlock2DCrossAttn, UNetMidBlock2DSimpleCrossAttn, UNetMidBlock2D (one resnet), or "" for none (null in the
  /// file).
  std::string mid_block_type = "UNetMidBlock2DCrossAttn";
  std::vector<std::string> up_block_types{"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
                                          "CrossAttnUpBlock2D"};
  /// 0 or 1, for all blocks or for each.
  OneOrMany only_cross_attention{0};
  /// Of UNetMidBlock2DSimpleCrossAttn; where it is null in the file, mid_attends_to_text_alone has its value.
  std::optional<bool> mid_block_only_cross_attention;
  std::vector<std::int64_t> block_out_channels{320, 640, 1280, 1280};
  OneOrMany layers_per_block{2};
  std::int64_t downsample_padding = 1;
  double mid_block_scale_factor = 1;
  double dropout = 0;
  std::string act_fn = "silu";
  std::int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  OneOrMany cross_attention_dim{1280};
  LayersOfBlocks transformer_layers_per_block{{1}};
  /// The same for the up blocks, from the first one; empty (null) for the reversed values of the down blocks.
  LayersOfBlocks reverse_transformer_layers_per_block{};
  /// Width of encoder_hidden_states if a linear layer maps them to cross_attention_dim; 0 for none.
  std::int64_t encoder_hid_dim = 0;
  /// The number of heads, despite its name (diffusers issue 2011); but the channels of a head in the blocks whose names
  /// begin with Simple, and of these on the way up from its first block.
  OneOrMany attention_head_dim{8};
  bool use_linear_projection = false;
  /// "", timestep, identity, projection or simple_projection.
  std::string class_embed_type;
  /// With class_embed_type "": rows of a table of class embeddings; 0 for none.
  std::int64_t num_class_embeds = 0;
  /// "", text_time (SDXL), or text (pooled states, Imagen and DeepFloyd IF).
  std::string addition_embed_type;
  /// With addition_embed_type text: heads of the attention pooling.
  std::int64_t addition_embed_type_num_heads = 64;
  std::int64_t addition_time_embed_dim = 0;
  std::int64_t projection_class_embeddings_input_dim = 0;
  bool class_embeddings_concat = false;
  /// Kept for the file; scaled_dot_product_attention sums in float32 anyway.
  bool upcast_attention = false;
  std::string resnet_time_scale_shift = "default";
  /// 0 for 4 block_out_channels[0].
  std::int64_t time_embedding_dim = 0;
  std::string time_embedding_act_fn;
  std::string timestep_post_act;
  /// Width of timestep_cond; 0 for none.
  std::int64_t time_cond_proj_dim = 0;
  std::int64_t conv_in_kernel = 3;
  std::int64_t conv_out_kernel = 3;

  /// transformer_layers_per_block of up block `index`.
  const OneOrMany& up_transformer_layers(std::size_t index) const;
  /// mid_block_only_cross_attention, by default only_cross_attention where that is one value for all blocks.
  bool mid_attends_to_text_alone() const;
  /// Width of encoder_hidden_states.
  std::int64_t states_width() const;

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static UNet2DConditionModelConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;
  /// Throws std::invalid_argument if the values do not fit together.
  void validate() const;
};

}  // namespace sfumato
