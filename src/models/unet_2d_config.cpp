#include <stdexcept>

#include "models/unet_2d_model.h"

namespace sfumato {
namespace {

constexpr const char* kUNet2DModel = "UNet2DModel";

void require_supported_values(const Json& json) {
  const Json null = nullptr;
  require_supported(json, "time_embedding_type", {null, "positional"}, kUNet2DModel);
  require_supported(json, "mid_block_type", {null, "UNetMidBlock2D"}, kUNet2DModel);
  require_supported(json, "class_embed_type", {null, "timestep", "identity"}, kUNet2DModel);
  require_supported(json, "downsample_type", {null, "conv", "resnet"}, kUNet2DModel);
  require_supported(json, "upsample_type", {null, "conv", "resnet"}, kUNet2DModel);
}

void read_blocks(const Json& json, UNet2DModelConfig& config) {
  config.down_block_types = value_or(json, "down_block_types", config.down_block_types);
  config.up_block_types = value_or(json, "up_block_types", config.up_block_types);
  const auto mid = json.find("mid_block_type");
  if (mid != json.end() && mid->is_null()) config.mid_block_type.clear();
  config.block_out_channels = value_or(json, "block_out_channels", config.block_out_channels);
  config.layers_per_block = value_or(json, "layers_per_block", config.layers_per_block);
  config.mid_block_scale_factor = value_or(json, "mid_block_scale_factor", config.mid_block_scale_factor);
  config.downsample_padding = value_or(json, "downsample_padding", config.downsample_padding);
  config.downsample_type = value_or(json, "downsample_type", config.downsample_type);
  config.upsample_type = value_or(json, "upsample_type", config.upsample_type);
  config.dropout = value_or(json, "dropout", config.dropout);
  config.act_fn = value_or(json, "act_fn", config.act_fn);
  const auto head = json.find("attention_head_dim");
  const bool one_head = head != json.end() && head->is_null();
  config.attention_head_dim = one_head ? 0 : value_or(json, "attention_head_dim", config.attention_head_dim);
  config.norm_num_groups = value_or(json, "norm_num_groups", config.norm_num_groups);
  config.attn_norm_num_groups = value_or(json, "attn_norm_num_groups", config.attn_norm_num_groups);
  config.norm_eps = value_or(json, "norm_eps", config.norm_eps);
  config.resnet_time_scale_shift = value_or(json, "resnet_time_scale_shift", config.resnet_time_scale_shift);
  config.add_attention = value_or(json, "add_attention", config.add_attention);
}

}  // namespace

UNet2DModelConfig UNet2DModelConfig::from_json(const Json& json) {
  require_supported_values(json);
  UNet2DModelConfig config;
  config.sample_size = one_or_many(json, "sample_size", config.sample_size);
  config.in_channels = value_or(json, "in_channels", config.in_channels);
  config.out_channels = value_or(json, "out_channels", config.out_channels);
  config.center_input_sample = value_or(json, "center_input_sample", config.center_input_sample);
  config.time_embedding_dim = value_or(json, "time_embedding_dim", config.time_embedding_dim);
  config.freq_shift = value_or(json, "freq_shift", config.freq_shift);
  config.flip_sin_to_cos = value_or(json, "flip_sin_to_cos", config.flip_sin_to_cos);
  config.class_embed_type = value_or(json, "class_embed_type", config.class_embed_type);
  config.num_class_embeds = value_or(json, "num_class_embeds", config.num_class_embeds);
  read_blocks(json, config);
  config.validate();
  return config;
}

nlohmann::ordered_json UNet2DModelConfig::to_json() const {
  nlohmann::ordered_json json;
  json["_class_name"] = kUNet2DModel;
  json["act_fn"] = act_fn;
  json["add_attention"] = add_attention;
  json["attention_head_dim"] = null_if_zero(attention_head_dim);
  json["attn_norm_num_groups"] = null_if_zero(attn_norm_num_groups);
  json["block_out_channels"] = block_out_channels;
  json["center_input_sample"] = center_input_sample;
  json["class_embed_type"] = null_if_empty(class_embed_type);
  json["down_block_types"] = down_block_types;
  json["downsample_padding"] = downsample_padding;
  json["downsample_type"] = downsample_type;
  json["dropout"] = dropout;
  json["flip_sin_to_cos"] = flip_sin_to_cos;
  json["freq_shift"] = freq_shift;
  json["in_channels"] = in_channels;
  json["layers_per_block"] = layers_per_block;
  json["mid_block_scale_factor"] = mid_block_scale_factor;
  json["mid_block_type"] = null_if_empty(mid_block_type);
  json["norm_eps"] = norm_eps;
  json["norm_num_groups"] = norm_num_groups;
  json["num_class_embeds"] = null_if_zero(num_class_embeds);
  json["out_channels"] = out_channels;
  json["resnet_time_scale_shift"] = resnet_time_scale_shift;
  json["sample_size"] = to_json_value(sample_size);
  json["time_embedding_dim"] = null_if_zero(time_embedding_dim);
  json["up_block_types"] = up_block_types;
  json["upsample_type"] = upsample_type;
  return json;
}

void UNet2DModelConfig::validate() const {
  const auto blocks = block_out_channels.size();
  const auto check = [&](const std::vector<std::string>& types, const std::string& key,
                         std::initializer_list<const char*> supported) {
    if (types.size() != blocks || blocks == 0) {
      throw std::invalid_argument(std::string(kUNet2DModel) + ": '" + key + "' names " + std::to_string(types.size()) +
                                  " blocks, 'block_out_channels' " + std::to_string(blocks));
    }
    require_types(types, key, supported, kUNet2DModel);
  };
  check(down_block_types, "down_block_types", {"DownBlock2D", "AttnDownBlock2D"});
  check(up_block_types, "up_block_types", {"UpBlock2D", "AttnUpBlock2D"});
}

}  // namespace sfumato
