#include "models/glide_original.h"

#include <array>
#include <set>
#include <stdexcept>

#include "models/unet_2d_condition_model.h"

namespace sfumato {
namespace {

/// Where a parameter's rows lie in a tensor of the file that stacks several, head by head.
struct StackedRows {
  std::string key;
  std::int64_t part = 0, parts = 1;
};

std::string with_end(const std::string& name, const std::string& start, const std::string& replacement) {
  return replacement + name.substr(start.size());
}

/// ".to_q.weight" to the first of three in ".qkv.weight", and so on.
StackedRows inside_attention(const std::string& place, const std::string& rest) {
  const std::array<std::pair<const char*, StackedRows>, 7> table{{{"group_norm", {"norm"}},
                                                                  {"to_out.0", {"proj_out"}},
                                                                  {"to_q", {"qkv", 0, 3}},
                                                                  {"to_k", {"qkv", 1, 3}},
                                                                  {"to_v", {"qkv", 2, 3}},
                                                                  {"add_k_proj", {"encoder_kv", 0, 2}},
                                                                  {"add_v_proj", {"encoder_kv", 1, 2}}}};
  for (const auto& [start, rows] : table)
    if (rest.starts_with(std::string(start) + "."))
      return {place + "." + with_end(rest, start, rows.key), rows.part, rows.parts};
  throw std::runtime_error("the layout has no place for attention's \"" + rest + "\"");
}

StackedRows unet_rows(const std::string& name, const UNet2DConditionModelConfig& config) {
  const std::string projection = "class_embedding", attentions = ".attentions.";
  if (name.starts_with(projection)) return {with_end(name, projection, "transformer_proj")};
  const auto found = name.find(attentions);
  if (found == std::string::npos) return {original_unet_key(name, config)};
  const auto member = name.find('.', found + attentions.size()) + 1;  // after the attention's number
  const auto key = original_unet_key(name.substr(0, member) + "norm", config);
  return inside_attention(key.substr(0, key.rfind('.')), name.substr(member));
}

StackedRows text_rows(const std::string& name) {
  const std::array<std::pair<const char*, const char*>, 3> inside{{{".self_attn.qkv_proj.", ".attn.c_qkv."},
                                                                   {".self_attn.out_proj.", ".attn.c_proj."},
                                                                   {".mlp.fc1.", ".mlp.c_fc."}}};
  const std::array<std::pair<const char*, const char*>, 3> norms{
      {{".mlp.fc2.", ".mlp.c_proj."}, {".layer_norm1.", ".ln_1."}, {".layer_norm2.", ".ln_2."}}};
  if (name == "embeddings.token_embedding.weight") return {"token_embedding.weight"};
  if (name == "embeddings.position_embedding.weight") return {"positional_embedding"};
  if (name == "embeddings.padding_embedding.weight") return {"padding_embedding"};
  if (name.starts_with("final_layer_norm")) return {with_end(name, "final_layer_norm", "final_ln")};
  auto key = with_end(name, "encoder.layers", "transformer.resblocks");
  for (const auto& table : {inside, norms})
    for (const auto& [ours, theirs] : table)
      if (const auto place = key.find(ours); place != std::string::npos)
        key.replace(place, std::string(ours).size(), theirs);
  return {key};
}

/// One of the parts that each head's rows [parts, d] of `stacked` consist of, [heads * d, ...].
torch::Tensor rows_of_heads(const torch::Tensor& stacked, const StackedRows& rows, std::int64_t head_channels) {
  if (rows.parts == 1) return stacked;
  return stacked.unflatten(0, {-1, rows.parts, head_channels}).select(1, rows.part).flatten(0, 1);
}

/// The weights of `network`'s parameters; the keys that they come from are added to `used`.
template <class RowsOf>
NamedWeights weights_of(const TensorFile& file, const torch::nn::Module& network, std::int64_t head_channels,
                        std::set<std::string>& used, const RowsOf& rows_of) {
  NamedWeights weights;
  for (const auto& item : network.named_parameters()) {
    const StackedRows rows = rows_of(item.key());
    if (!file.contains(rows.key)) throw std::runtime_error("no \"" + rows.key + "\" in it");
    const auto part = rows_of_heads(file.tensor(rows.key), rows, head_channels);
    if (part.numel() != item.value().numel())
      throw std::runtime_error("\"" + rows.key + "\" has another size than expected");
    weights[item.key()] = part.reshape(item.value().sizes());
    used.insert(rows.key);
  }
  return weights;
}

bool is_resampling(const FilePart& part, std::int64_t output_block) {
  const auto place = "output_blocks." + std::to_string(output_block);
  if (part.has(place + ".1.conv.weight") || part.has(place + ".2.conv.weight"))
    throw std::runtime_error("its UNet resamples by convolutions: expected residual blocks (resblock_updown)");
  return part.has(place + ".1.in_layers.0.weight") || part.has(place + ".2.in_layers.0.weight");
}

/// Residual blocks of a level on the way up, one more than on the way down: the last of them has the upsampling.
std::int64_t layers_of_level(const FilePart& part, std::int64_t output_blocks) {
  for (std::int64_t k = 0; k < output_blocks; ++k)
    if (is_resampling(part, k)) return k + 1;
  return output_blocks;
}

void read_levels(const FilePart& part, UNet2DConditionModelConfig& config) {
  const auto output_blocks = part.count("output_blocks.", ".0.in_layers.0.weight");
  const auto layers = layers_of_level(part, output_blocks);
  if (output_blocks < 2 || layers < 2 || output_blocks % layers != 0)
    throw std::runtime_error("its UNet has " + std::to_string(output_blocks) +
                             " output blocks, of which each level has " + std::to_string(layers));
  config.layers_per_block = {layers - 1};
  config.block_out_channels.clear();
  config.down_block_types.clear();
  config.up_block_types.clear();
  for (std::int64_t level = 0; level < output_blocks / layers; ++level) {
    const auto place = "input_blocks." + std::to_string(1 + level * layers);
    const bool attends = part.has(place + ".1.qkv.weight");
    config.block_out_channels.push_back(part.size(place + ".0.out_layers.3.weight", 0));
    config.down_block_types.push_back(attends ? "SimpleCrossAttnDownBlock2D" : "ResnetDownsampleBlock2D");
    config.up_block_types.insert(config.up_block_types.begin(),
                                 attends ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D");
  }
}

UNet2DConditionModelConfig read_unet_config(const FilePart& part, std::int64_t head_channels) {
  constexpr std::int64_t kSmallestSide = 8;
  UNet2DConditionModelConfig config;
  read_levels(part, config);
  const auto first = config.block_out_channels.front();
  if (part.size("time_embed.0.weight", 1) != first)
    throw std::runtime_error("its timestep has " + std::to_string(part.size("time_embed.0.weight", 1)) +
                             " sines and cosines, its first level " + std::to_string(first) +
                             " channels: expected as many");
  const auto width = part.size("transformer_proj.weight", 1);
  config.sample_size = {kSmallestSide << (config.block_out_channels.size() - 1)};
  config.in_channels = part.size("input_blocks.0.0.weight", 1);
  config.out_channels = part.size("out.2.weight", 0);
  config.mid_block_type = "UNetMidBlock2DSimpleCrossAttn";
  config.attention_head_dim = {head_channels};
  config.cross_attention_dim = {width};
  config.class_embed_type = "simple_projection";
  config.projection_class_embeddings_input_dim = width;
  const bool scale_shift = part.size("input_blocks.1.0.emb_layers.1.weight", 0) == 2 * first;
  config.resnet_time_scale_shift = scale_shift ? "scale_shift" : "default";
  config.validate();
  return config;
}

GLIDETextModelConfig read_text_config(const FilePart& part, std::int64_t head_channels) {
  GLIDETextModelConfig config;
  config.vocab_size = part.size("token_embedding.weight", 0);
  config.hidden_size = part.size("token_embedding.weight", 1);
  config.intermediate_size = part.size("transformer.resblocks.0.mlp.c_fc.weight", 0);
  config.num_hidden_layers = part.count("transformer.resblocks.", ".ln_1.weight");
  config.num_attention_heads = config.hidden_size / head_channels;
  config.max_position_embeddings = part.size("positional_embedding", 0);
  config.use_padding_embeddings = part.has("padding_embedding");
  config.validate();
  return config;
}

/// Channels of an image; the other half of the output is the variance.
std::int64_t image_channels(const UNet2DConditionModelConfig& unet) {
  return unet.out_channels / 2;
}

/// Channels besides those of x: an image at low resolution, a masked image and its mask, or both.
void check_channels(const UNet2DConditionModelConfig& unet) {
  const auto image = image_channels(unet), further = unet.in_channels - image;
  if (unet.out_channels % 2 == 0 &&
      (further == 0 || further == image || further == image + 1 || further == 2 * image + 1))
    return;
  throw std::runtime_error("its UNet has " + std::to_string(unet.in_channels) + " input and " +
                           std::to_string(unet.out_channels) +
                           " output channels: expected 3, 6 (upsampler), 7 or 10 (inpainting) and 6");
}

}  // namespace

bool GLIDEOriginal::is_upsampler() const {
  const auto image = image_channels(unet);
  return unet.in_channels == 2 * image || unet.in_channels == 3 * image + 1;
}

bool GLIDEOriginal::is_inpainting() const {
  const auto image = image_channels(unet);
  return unet.in_channels == 2 * image + 1 || unet.in_channels == 3 * image + 1;
}

bool is_glide_original(const TensorFile& file) {
  return file.contains("transformer_proj.weight") && file.contains("input_blocks.0.0.weight");
}

GLIDEOriginal read_glide_original(const TensorFile& file, std::int64_t head_channels) {
  const FilePart part(file, "");
  GLIDEOriginal original;
  original.unet = read_unet_config(part, head_channels);
  check_channels(original.unet);
  original.text = read_text_config(part, head_channels);
  std::set<std::string> used;
  const UNet2DConditionModel unet(original.unet);
  const GLIDETextModel text(original.text);
  original.unet_weights = weights_of(file, *unet, head_channels, used,
                                     [&](const std::string& name) { return unet_rows(name, original.unet); });
  original.text_weights = weights_of(file, *text, head_channels, used, text_rows);
  for (const auto& key : file.names())
    if (!used.contains(key)) throw std::runtime_error("unexpected \"" + key + "\" in it");
  return original;
}

}  // namespace sfumato
