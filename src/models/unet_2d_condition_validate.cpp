#include <stdexcept>

#include "models/unet_2d_condition_config.h"

namespace sfumato {
namespace {

constexpr const char* kUNetClass = "UNet2DConditionModel";

/// One number for a block, or one for each of its layers.
void validate_transformer_layers(const UNet2DConditionModelConfig& config) {
  const auto blocks = config.block_out_channels.size();
  const auto check = [&](const LayersOfBlocks& values, const std::string& key, bool up) {
    if (values.empty()) return;
    if (values.size() != 1 && values.size() != blocks)
      refuse_value(kUNetClass, key, std::to_string(values.size()) + " values",
                   "one, or one for each of " + std::to_string(blocks) + " blocks");
    for (std::size_t i = 0; i < blocks; ++i) {
      require_positive(kUNetClass, key, at_block(values, i));
      const auto layers = at_block(config.layers_per_block, up ? blocks - 1 - i : i) + (up ? 1 : 0);
      const auto count = static_cast<std::int64_t>(at_block(values, i).size());
      if (count != 1 && count != layers)
        refuse_value(kUNetClass, key, "a list of " + std::to_string(count) + " for block " + std::to_string(i),
                     "one for each of its " + std::to_string(layers) + " layers");
    }
  };
  check(config.transformer_layers_per_block, "transformer_layers_per_block", false);
  check(config.reverse_transformer_layers_per_block, "reverse_transformer_layers_per_block", true);
  // As diffusers: lists for the layers of the way down do not tell those of the way up.
  for (const auto& layers : config.transformer_layers_per_block)
    if (layers.size() > 1 && config.reverse_transformer_layers_per_block.empty())
      refuse_value(kUNetClass, "reverse_transformer_layers_per_block", "null",
                   "a list, since 'transformer_layers_per_block' has lists");
}

constexpr std::initializer_list<const char*> kDownBlocks = {"CrossAttnDownBlock2D", "DownBlock2D",
                                                            "SimpleCrossAttnDownBlock2D", "ResnetDownsampleBlock2D"};
constexpr std::initializer_list<const char*> kUpBlocks = {"CrossAttnUpBlock2D", "UpBlock2D", "SimpleCrossAttnUpBlock2D",
                                                          "ResnetUpsampleBlock2D"};

/// Channels of a head divide those of each block that attends to text and image at once.
void validate_simple_heads(const UNet2DConditionModelConfig& config) {
  const auto& channels = config.block_out_channels;
  const auto check = [&](const std::string& type, std::size_t head, std::size_t block) {
    const auto width = at_block(config.attention_head_dim, head);
    if (type.find("SimpleCrossAttn") != std::string::npos && channels[block] % width != 0)
      refuse_value(kUNetClass, "attention_head_dim", std::to_string(width),
                   "a divisor of the " + std::to_string(channels[block]) + " channels of a " + type);
  };
  const auto last = channels.size() - 1;
  for (std::size_t i = 0; i <= last; ++i) {
    check(config.down_block_types[i], i, i);
    check(config.up_block_types[i], i, last - i);  // as diffusers: on the way up, too, the i-th
  }
  check(config.mid_block_type, last, last);
}

void require(bool condition, const std::string& what) {
  if (!condition) throw std::invalid_argument(std::string(kUNetClass) + ": " + what);
}

}  // namespace

void UNet2DConditionModelConfig::validate() const {
  const auto blocks = block_out_channels.size();
  require_positive(kUNetClass, "in_channels", {in_channels});
  require_positive(kUNetClass, "out_channels", {out_channels});
  require_positive(kUNetClass, "norm_num_groups", {norm_num_groups});
  require_positive(kUNetClass, "block_out_channels", block_out_channels);
  require_positive(kUNetClass, "layers_per_block", layers_per_block);
  require_positive(kUNetClass, "attention_head_dim", attention_head_dim);
  require_positive(kUNetClass, "cross_attention_dim", cross_attention_dim);
  require_dropout(kUNetClass, "dropout", dropout);
  const auto count = [&](const std::vector<std::string>& types, const std::string& key) {
    require(types.size() == blocks && blocks > 0, "'" + key + "' names " + std::to_string(types.size()) +
                                                      " blocks, 'block_out_channels' " + std::to_string(blocks));
  };
  count(down_block_types, "down_block_types");
  count(up_block_types, "up_block_types");
  require_types(down_block_types, "down_block_types", kDownBlocks, kUNetClass);
  require_types(up_block_types, "up_block_types", kUpBlocks, kUNetClass);
  const std::string where = std::string(kUNetClass) + ": ";
  require_per_block(attention_head_dim, blocks, where + "'attention_head_dim'");
  validate_simple_heads(*this);
  require_per_block(layers_per_block, blocks, where + "'layers_per_block'");
  require_per_block(cross_attention_dim, blocks, where + "'cross_attention_dim'");
  validate_transformer_layers(*this);
  require_per_block(only_cross_attention, blocks, where + "'only_cross_attention'");
  const bool needs_width =
      addition_embed_type == "text_time" || class_embed_type == "projection" || class_embed_type == "simple_projection";
  require(!needs_width || projection_class_embeddings_input_dim > 0,
          "'projection_class_embeddings_input_dim' is needed for class_embed_type projection and for text_time");
  require(addition_embed_type != "text_time" || addition_time_embed_dim > 0,
          "'addition_time_embed_dim' is needed for addition_embed_type text_time");
  require(addition_embed_type != "text" ||
              (addition_embed_type_num_heads > 0 && states_width() % addition_embed_type_num_heads == 0),
          "'addition_embed_type_num_heads' is " + std::to_string(addition_embed_type_num_heads) +
              ", expected a divisor of the text's width, " + std::to_string(states_width()));
  require(encoder_hid_dim == 0 || cross_attention_dim.size() == 1,
          "'encoder_hid_dim' needs one 'cross_attention_dim' for all blocks");
}

}  // namespace sfumato
