#include "models/controlnet_file.h"

#include <algorithm>

#include "models/file_part.h"
#include "models/original_layout.h"

namespace sfumato {
namespace {

constexpr const char* kControlModel = "control_model.";
constexpr std::int64_t kSizeChannels = 256;  // width of Stable Diffusion XL's embedding of each size

/// `key_of_block(i)` is the weight that maps the image to the channels of block i.
template <class KeyOfBlock>
void read_conditioning(const FilePart& part, const KeyOfBlock& key_of_block, ControlNetModelConfig& config) {
  config.conditioning_channels = part.size(key_of_block(0), 1);
  config.conditioning_embedding_out_channels.clear();
  for (std::size_t i = 0; part.has(key_of_block(i)); ++i)
    config.conditioning_embedding_out_channels.push_back(part.size(key_of_block(i), 0));
}

/// input_hint_block has a convolution, then pairs of which the second halves the image, then one to the UNet's
/// channels, with an activation after each.
ControlNetModelConfig read_original(const FilePart& part) {
  ControlNetModelConfig config;
  config.unet = read_original_way_down(part);
  read_conditioning(
      part, [](std::size_t i) { return "input_hint_block." + std::to_string(4 * i) + ".weight"; }, config);
  return config;
}

/// Stores one number if all blocks with attention agree.
void set_depths(std::vector<std::int64_t> depths, UNet2DConditionModelConfig& config) {
  const auto deepest = std::max<std::int64_t>(1, *std::max_element(depths.begin(), depths.end()));
  const bool same =
      std::all_of(depths.begin(), depths.end(), [&](auto depth) { return depth == 0 || depth == deepest; });
  std::replace(depths.begin(), depths.end(), std::int64_t{0}, std::int64_t{1});
  config.transformer_layers_per_block = LayersOfBlocks{{deepest}};
  if (same) return;
  config.transformer_layers_per_block.clear();
  for (const auto depth : depths) config.transformer_layers_per_block.push_back({depth});
}

void read_attention(const FilePart& part, const std::string& attention, UNet2DConditionModelConfig& config) {
  config.use_linear_projection = part.shape(attention + "proj_in.weight").size() == 2;
  config.cross_attention_dim = {part.size(attention + "transformer_blocks.0.attn2.to_k.weight", 1)};
}

void read_down_blocks(const FilePart& part, UNet2DConditionModelConfig& config) {
  config.block_out_channels.clear();
  config.down_block_types.clear();
  std::vector<std::int64_t> depths;
  for (std::size_t i = 0;; ++i) {
    const auto block = "down_blocks." + std::to_string(i) + ".";
    if (!part.has(block + "resnets.0.conv1.weight")) break;
    config.block_out_channels.push_back(part.size(block + "resnets.0.conv1.weight", 0));
    const auto attention = block + "attentions.0.";
    depths.push_back(part.count(attention + "transformer_blocks.", ".norm1.weight"));
    config.down_block_types.push_back(depths.back() == 0 ? "DownBlock2D" : "CrossAttnDownBlock2D");
    if (depths.back() > 0) read_attention(part, attention, config);
  }
  config.layers_per_block = {part.count("down_blocks.0.resnets.", ".conv1.weight")};
  set_depths(depths, config);
}

UNet2DConditionModelConfig read_named_way_down(const FilePart& part) {
  UNet2DConditionModelConfig config;
  config.in_channels = part.size("conv_in.weight", 1);
  read_down_blocks(part, config);
  if (!part.has("mid_block.attentions.0.norm.weight")) config.mid_block_type = "UNetMidBlock2D";
  set_heads(config);
  config.up_block_types.clear();
  for (auto type = config.down_block_types.rbegin(); type != config.down_block_types.rend(); ++type)
    config.up_block_types.push_back(*type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D");
  if (part.has("add_embedding.linear_1.weight")) {
    config.addition_embed_type = "text_time";
    config.addition_time_embed_dim = kSizeChannels;
    config.projection_class_embeddings_input_dim = part.size("add_embedding.linear_1.weight", 1);
  }
  return config;
}

ControlNetModelConfig read_named(const FilePart& part) {
  ControlNetModelConfig config;
  config.unet = read_named_way_down(part);
  const auto key_of_block = [](std::size_t i) {
    const std::string inside = i == 0 ? "conv_in" : "blocks." + std::to_string(2 * i - 1);
    return "controlnet_cond_embedding." + inside + ".weight";
  };
  read_conditioning(part, key_of_block, config);
  return config;
}

/// Maps keys that are no weights of the ControlNet to nothing, and unused keys to themselves, so that loading
/// reports them.
KeyNames without_other_parts(const std::string& prefix, const KeyNames& names) {
  return [=](const std::string& key) -> std::vector<std::string> {
    if (key == kControlNetDifference) return {};
    if (key.starts_with(prefix)) return names(key);
    return is_checkpoint_key(key) ? std::vector<std::string>() : std::vector<std::string>{key};
  };
}

}  // namespace

ControlNetFile read_controlnet_file(const TensorFile& file) {
  if (file.contains("controlnet_cond_embedding.conv_in.weight") &&
      file.contains("down_blocks.0.resnets.0.conv1.weight"))
    return {.config = read_named(FilePart(file, "")),
            .names = without_other_parts("", [](const std::string& key) { return std::vector<std::string>{key}; })};
  for (const std::string prefix : {kControlModel, ""}) {
    if (!file.contains(prefix + "input_hint_block.0.weight")) continue;
    const auto config = read_original(FilePart(file, prefix));
    const auto names = names_by_key(ControlNetModelImpl(config), prefix,
                                    [&](const std::string& name) { return original_controlnet_key(name, config); });
    return {.config = config, .names = without_other_parts(prefix, names)};
  }
  throw std::runtime_error(
      "no key begins with input_hint_block. or controlnet_cond_embedding.: expected a ControlNet of Stable Diffusion "
      "1, "
      "2 or XL");
}

}  // namespace sfumato
