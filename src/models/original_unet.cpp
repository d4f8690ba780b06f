#include <algorithm>
#include <stdexcept>

#include "models/original_layout.h"

namespace sfumato {
namespace {

using Depths = std::vector<std::int64_t>;

/// Layers of a block: the depth of the transformer after each resnet, 0 for none.
struct OriginalBlock {
  std::int64_t channels = 0;
  Depths depths = {};

  bool attends() const { return depths.front() > 0; }
};

Depths depths_at(const FilePart& part, const std::string& place) {
  return {part.count(place + ".1.transformer_blocks.", ".norm1.weight")};
}

void add_layer(const FilePart& part, const std::string& place, OriginalBlock& block) {
  block.channels = part.size(place + ".0.out_layers.3.weight", 0);
  block.depths.push_back(depths_at(part, place).front());
  if ((block.depths.back() > 0) != block.attends())
    throw std::runtime_error("a block of its UNet has transformers after only some of its layers (\"" + place + "\")");
}

/// Reads the down blocks: layers, with a downsampling at the end of each block but the last.
std::vector<OriginalBlock> down_blocks_of(const FilePart& part) {
  std::vector<OriginalBlock> blocks(1);
  for (std::int64_t i = 1;; ++i) {
    const auto place = "input_blocks." + std::to_string(i);
    if (part.has(place + ".0.op.weight"))
      blocks.emplace_back();
    else if (part.has(place + ".0.out_layers.3.weight"))
      add_layer(part, place, blocks.back());
    else
      break;
  }
  for (const auto& block : blocks)
    if (block.depths.empty()) throw std::runtime_error("a block of its UNet has no layer");
  return blocks;
}

/// Reads the up blocks: the last layer of each block but the last includes an upsampling.
std::vector<OriginalBlock> up_blocks_of(const FilePart& part) {
  std::vector<OriginalBlock> blocks(1);
  for (std::int64_t i = 0;; ++i) {
    const auto place = "output_blocks." + std::to_string(i);
    if (!part.has(place + ".0.out_layers.3.weight")) break;
    add_layer(part, place, blocks.back());
    if (part.has(place + ".1.conv.weight") || part.has(place + ".2.conv.weight")) blocks.emplace_back();
  }
  return blocks;
}

/// Converts a block's depths to a config's: one number if all agree, 1 without attention.
Depths configured(const OriginalBlock& block) {
  const auto first = block.depths.front();
  const bool same = std::all_of(block.depths.begin(), block.depths.end(), [&](auto depth) { return depth == first; });
  return same ? Depths{std::max<std::int64_t>(first, 1)} : block.depths;
}

void read_middle(const FilePart& part, UNet2DConditionModelConfig& config) {
  if (!part.has("middle_block.0.out_layers.3.weight"))
    config.mid_block_type = "";
  else if (depths_at(part, "middle_block").front() == 0)
    config.mid_block_type = "UNetMidBlock2D";
}

/// Reads the depths, one number if all blocks agree. The mid block's is that of the last block's first layer.
void read_transformer_depths(const FilePart& part, const std::vector<OriginalBlock>& blocks,
                             UNet2DConditionModelConfig& config) {
  const auto middle = depths_at(part, "middle_block").front();
  LayersOfBlocks depths;
  for (const auto& block : blocks) depths.push_back(configured(block));
  if (middle > 0 && blocks.back().attends() && depths.back().front() != middle)
    throw std::runtime_error("its UNet's mid block has " + std::to_string(middle) + " transformer layers, expected " +
                             std::to_string(depths.back().front()) + " as its last block");
  if (middle > 0 && !blocks.back().attends()) depths.back() = {middle};
  Depths common = {middle};
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (middle == 0 && blocks[i].attends()) common = depths[i];
  bool same = common.front() > 0 && common.size() == 1;
  for (std::size_t i = 0; i < blocks.size(); ++i) same = same && (!blocks[i].attends() || depths[i] == common);
  config.transformer_layers_per_block = same ? LayersOfBlocks{common} : depths;
}

void read_attention(const FilePart& part, UNet2DConditionModelConfig& config) {
  const auto read = [&](const std::string& place) {
    const bool attends = part.has(place + ".1.transformer_blocks.0.attn2.to_k.weight");
    if (!attends) return false;
    config.use_linear_projection = part.shape(place + ".1.proj_in.weight").size() == 2;
    config.cross_attention_dim = {part.size(place + ".1.transformer_blocks.0.attn2.to_k.weight", 1)};
    return true;
  };
  for (std::int64_t i = 1; part.has("input_blocks." + std::to_string(i) + ".0.in_layers.0.weight") ||
                           part.has("input_blocks." + std::to_string(i) + ".0.op.weight");
       ++i)
    if (read("input_blocks." + std::to_string(i))) return;
  read("middle_block");
}

OneOrMany collapsed(OneOrMany values) {
  const bool same = std::all_of(values.begin(), values.end(), [&](auto value) { return value == values.front(); });
  return same ? OneOrMany{values.front()} : values;
}

/// Reads the down blocks and the mid block.
void read_unet_blocks(const FilePart& part, UNet2DConditionModelConfig& config) {
  const auto blocks = down_blocks_of(part);
  config.block_out_channels.clear();
  config.down_block_types.clear();
  config.layers_per_block.clear();
  for (const auto& block : blocks) {
    config.block_out_channels.push_back(block.channels);
    config.down_block_types.push_back(block.attends() ? "CrossAttnDownBlock2D" : "DownBlock2D");
    config.layers_per_block.push_back(static_cast<std::int64_t>(block.depths.size()));
  }
  config.layers_per_block = collapsed(config.layers_per_block);
  config.up_block_types.clear();
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block)
    config.up_block_types.push_back(block->attends() ? "CrossAttnUpBlock2D" : "UpBlock2D");
  read_middle(part, config);
  read_transformer_depths(part, blocks, config);
  read_attention(part, config);
}

/// Reads the up blocks as far as they differ from the reversed down blocks (SSD-1B).
void read_way_up(const FilePart& part, UNet2DConditionModelConfig& config) {
  const auto blocks = up_blocks_of(part);
  if (blocks.size() != config.block_out_channels.size())
    throw std::runtime_error("its UNet has " + std::to_string(blocks.size()) + " up blocks, expected as many as the " +
                             std::to_string(config.block_out_channels.size()) + " down blocks");
  LayersOfBlocks depths;
  bool mirrored = true;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].depths.empty()) throw std::runtime_error("an up block of its UNet has no layer");
    config.up_block_types[i] = blocks[i].attends() ? "CrossAttnUpBlock2D" : "UpBlock2D";
    depths.push_back(configured(blocks[i]));
    mirrored = mirrored && (!blocks[i].attends() || depths[i] == config.up_transformer_layers(i));
  }
  if (!mirrored) config.reverse_transformer_layers_per_block = depths;
}

/// Reads Stable Diffusion XL's additional conditions: the pooled text, and sizes embedded in 256 channels each.
void read_adapters(const FilePart& part, UNet2DConditionModelConfig& config) {
  if (!part.has("label_emb.0.0.weight")) return;
  config.addition_embed_type = "text_time";
  config.addition_time_embed_dim = 256;
  config.projection_class_embeddings_input_dim = part.size("label_emb.0.0.weight", 1);
}

}  // namespace

UNet2DConditionModelConfig read_original_unet(const FilePart& part) {
  auto config = read_original_way_down(part);
  read_way_up(part, config);
  config.out_channels = part.size("out.2.weight", 0);
  config.sample_size = {!config.addition_embed_type.empty() ? 128 : config.use_linear_projection ? 96 : 64};
  config.validate();
  return config;
}

UNet2DConditionModelConfig read_original_way_down(const FilePart& part) {
  UNet2DConditionModelConfig config;
  config.in_channels = part.size("input_blocks.0.0.weight", 1);
  read_unet_blocks(part, config);
  set_heads(config);
  read_adapters(part, config);
  return config;
}

void set_heads(UNet2DConditionModelConfig& config) {
  config.attention_head_dim = {8};
  if (!config.use_linear_projection) return;
  config.attention_head_dim.clear();
  for (const auto channels : config.block_out_channels)
    config.attention_head_dim.push_back(channels / kOriginalHeadWidth);
}

}  // namespace sfumato
