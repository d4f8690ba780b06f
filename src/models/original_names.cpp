// The complete table between the original layout's keys and diffusers' names.
#include <array>
#include <map>
#include <sstream>

#include "models/controlnet_file.h"
#include "models/original_layout.h"

namespace sfumato {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& name) {
  Words words;
  std::stringstream stream(name);
  for (std::string word; std::getline(stream, word, '.');) words.push_back(word);
  return words;
}

std::string join(const Words& words, std::size_t first) {
  std::string name;
  for (auto i = first; i < words.size(); ++i) name += "." + words[i];
  return name;
}

/// Replaces the start of `name` according to the table, or returns it unchanged.
std::string replace_start(const std::string& name, const std::map<std::string, std::string>& table) {
  const auto dot = name.find('.');
  const auto found = table.find(name.substr(0, dot));
  if (found == table.end()) return name;
  return found->second + (dot == std::string::npos ? "" : name.substr(dot));
}

/// Renames ".conv1.weight" to ".in_layers.2.weight".
std::string inside_unet_resnet(const std::string& rest) {
  static const std::map<std::string, std::string> table = {
      {"norm1", "in_layers.0"},  {"conv1", "in_layers.2"},  {"time_emb_proj", "emb_layers.1"},
      {"norm2", "out_layers.0"}, {"conv2", "out_layers.3"}, {"conv_shortcut", "skip_connection"}};
  return "." + replace_start(rest.substr(1), table);
}

std::string inside_vae_attention(const std::string& rest) {
  static const std::map<std::string, std::string> table = {
      {"group_norm", "norm"}, {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"}, {"to_out", "proj_out"}};
  auto name = "." + replace_start(rest.substr(1), table);
  if (const auto zero = name.find("proj_out.0."); zero != std::string::npos) name.erase(zero + 8, 2);
  return name;
}

std::int64_t down_layers(const UNet2DConditionModelConfig& config, std::int64_t block) {
  return at_block(config.layers_per_block, static_cast<std::size_t>(block));
}

/// A resampling at `place`: words 5 and on are those of a convolution, which the file calls `conv`, or words 4 and on
/// of a resnet.
std::string unet_resampling(const std::string& place, const std::string& conv, const Words& words) {
  return words[4] == "conv" ? place + "." + conv + join(words, 5) : place + inside_unet_resnet(join(words, 4));
}

/// words: resnets, J, conv1, weight or attentions, J, norm, weight; `first` is that of resnets.
std::string unet_member(const std::string& place, const Words& words, std::size_t first) {
  if (words[first] == "attentions") return place + ".1" + join(words, first + 2);
  return place + ".0" + inside_unet_resnet(join(words, first + 2));
}

}  // namespace

std::string original_unet_key(const std::string& name, const UNet2DConditionModelConfig& config) {
  static const std::map<std::string, std::string> ends = {
      {"conv_in", "input_blocks.0.0"}, {"conv_norm_out", "out.0"}, {"conv_out", "out.2"}};
  static const std::map<std::string, std::string> times = {{"linear_1", "time_embed.0"}, {"linear_2", "time_embed.2"}};
  static const std::map<std::string, std::string> adapters = {{"linear_1", "label_emb.0.0"},
                                                              {"linear_2", "label_emb.0.2"}};
  const auto words = split(name);
  if (words[0] == "time_embedding") return replace_start(join(words, 1).substr(1), times);
  if (words[0] == "add_embedding") return replace_start(join(words, 1).substr(1), adapters);
  if (words[0] == "mid_block") {
    const auto index = std::stoll(words[2]);
    if (words[1] == "attentions") return "middle_block.1" + join(words, 3);
    return "middle_block." + std::to_string(2 * index) + inside_unet_resnet(join(words, 3));
  }
  if (words[0] != "down_blocks" && words[0] != "up_blocks") return replace_start(name, ends);
  const auto block = std::stoll(words[1]), index = std::stoll(words[3]);
  if (words[0] == "down_blocks") {
    auto first = std::int64_t{1};
    for (std::int64_t i = 0; i < block; ++i) first += down_layers(config, i) + 1;
    if (words[2] == "downsamplers") {
      const auto layers = down_layers(config, block);
      return unet_resampling("input_blocks." + std::to_string(first + layers) + ".0", "op", words);
    }
    return unet_member("input_blocks." + std::to_string(first + index), words, 2);
  }
  const auto last = static_cast<std::int64_t>(config.block_out_channels.size()) - 1;
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < block; ++i) first += down_layers(config, last - i) + 1;
  const auto place = "output_blocks." + std::to_string(first + index);
  if (words[2] != "upsamplers") return unet_member(place, words, 2);
  const bool attends = attention_of(config.up_block_types[static_cast<std::size_t>(block)]) != BlockAttention::kNone;
  const auto layer = std::to_string(first + down_layers(config, last - block));
  return unet_resampling("output_blocks." + layer + (attends ? ".2" : ".1"), "conv", words);
}

std::string original_controlnet_key(const std::string& name, const ControlNetModelConfig& config) {
  const auto words = split(name);
  if (words[0] == "controlnet_down_blocks") return "zero_convs." + words[1] + ".0" + join(words, 2);
  if (words[0] == "controlnet_mid_block") return "middle_block_out.0" + join(words, 1);
  if (words[0] != "controlnet_cond_embedding") return original_unet_key(name, config.unet);
  const auto hint = [](std::size_t convolution) { return "input_hint_block." + std::to_string(2 * convolution); };
  if (words[1] == "conv_in") return hint(0) + join(words, 2);
  if (words[1] == "blocks") return hint(1 + std::stoull(words[2])) + join(words, 3);
  return hint(2 * config.conditioning_embedding_out_channels.size() - 1) + join(words, 2);  // conv_out
}

std::string original_vae_key(const std::string& name, const AutoencoderKLConfig& config) {
  static const std::map<std::string, std::string> shortcut = {{"conv_shortcut", "nin_shortcut"}};
  const auto words = split(name);
  if (words.size() < 3) return name;  // quant_conv.weight
  const auto& half = words[0];        // encoder or decoder
  if (words[1] == "conv_norm_out") return half + ".norm_out" + join(words, 2);
  if (words[1] == "mid_block") {
    if (words[2] == "attentions") return half + ".mid.attn_1" + inside_vae_attention(join(words, 4));
    return half + ".mid.block_" + std::to_string(std::stoll(words[3]) + 1) + "." +
           replace_start(join(words, 4).substr(1), shortcut);
  }
  if (words[1] != "down_blocks" && words[1] != "up_blocks") return name;
  const bool down = words[1] == "down_blocks";
  const auto last = static_cast<std::int64_t>(config.block_out_channels.size()) - 1;
  const auto block = down ? std::stoll(words[2]) : last - std::stoll(words[2]);
  const auto place = half + (down ? ".down." : ".up.") + std::to_string(block);
  if (words[3] == "downsamplers") return place + ".downsample" + join(words, 5);
  if (words[3] == "upsamplers") return place + ".upsample" + join(words, 5);
  return place + ".block." + words[4] + "." + replace_start(join(words, 5).substr(1), shortcut);
}

std::vector<std::string> names_of_open_clip_key(const std::string& key, std::int64_t layers) {
  static const std::map<std::string, std::string> ends = {{"token_embedding", "embeddings.token_embedding"},
                                                          {"ln_final", "final_layer_norm"}};
  static const std::map<std::string, std::string> inside = {{"ln_1", "layer_norm1"}, {"ln_2", "layer_norm2"}};
  const auto words = split(key);
  if (key == "positional_embedding") return {"embeddings.position_embedding.weight"};
  if (key == "text_projection" || key == "logit_scale" || key == "attn_mask") return {};
  if (words[0] != "transformer" || words.size() < 5) return {replace_start(key, ends)};
  if (std::stoll(words[2]) >= layers) return {};
  const auto layer = "encoder.layers." + words[2] + ".";
  const auto part = words[3] + "." + words[4];
  if (part == "attn.in_proj_weight" || part == "attn.in_proj_bias") {
    const auto kind = part.substr(std::string("attn.in_proj_").size());
    return {layer + "self_attn.q_proj." + kind, layer + "self_attn.k_proj." + kind, layer + "self_attn.v_proj." + kind};
  }
  if (part == "attn.out_proj") return {layer + "self_attn.out_proj" + join(words, 5)};
  if (part == "mlp.c_fc") return {layer + "mlp.fc1" + join(words, 5)};
  if (part == "mlp.c_proj") return {layer + "mlp.fc2" + join(words, 5)};
  return {layer + replace_start(join(words, 3).substr(1), inside)};
}

}  // namespace sfumato
