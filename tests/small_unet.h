#pragma once

#include <cstdint>

#include "models/unet_2d_condition_model.h"

namespace sfumato {

/// What differs between the small UNets of tests.
struct SmallUNet {
  std::int64_t width = 16;  ///< channels of the first of two levels
  std::int64_t norm_num_groups = 8;
  std::int64_t attention_head_dim = 2;
  std::int64_t cross_attention_dim = 16;
};

/// Of two levels with a block each, of which the first attends to the text.
inline UNet2DConditionModelConfig small_unet_config(const SmallUNet& small = {}) {
  UNet2DConditionModelConfig config;
  config.block_out_channels = {small.width, 2 * small.width};
  config.down_block_types = {"CrossAttnDownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "CrossAttnUpBlock2D"};
  config.layers_per_block = {1};
  config.norm_num_groups = small.norm_num_groups;
  config.attention_head_dim = {small.attention_head_dim};
  config.cross_attention_dim = {small.cross_attention_dim};
  return config;
}

}  // namespace sfumato
