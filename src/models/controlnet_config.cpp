#include <array>

#include "models/controlnet_model.h"

namespace sfumato {
namespace {

constexpr const char* kControlNetModel = "ControlNetModel";

// Keys of a UNet's config that a ControlNet's lacks.
constexpr std::array kUNetsAlone{"center_input_sample",
                                 "class_embeddings_concat",
                                 "conv_in_kernel",
                                 "conv_out_kernel",
                                 "dropout",
                                 "mid_block_only_cross_attention",
                                 "out_channels",
                                 "sample_size",
                                 "time_cond_proj_dim",
                                 "time_embedding_act_fn",
                                 "time_embedding_dim",
                                 "timestep_post_act",
                                 "up_block_types"};

/// Returns the known part of the config of the UNet for `controlnet`: its up blocks mirror its down blocks.
Json unet_json(Json controlnet) {
  for (const auto* key : kUNetsAlone) controlnet.erase(key);
  const auto types = value_or(controlnet, "down_block_types", UNet2DConditionModelConfig().down_block_types);
  std::vector<std::string> up;
  for (auto type = types.rbegin(); type != types.rend(); ++type)
    up.push_back(*type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D");
  controlnet["up_block_types"] = up;
  return controlnet;
}

}  // namespace

ControlNetModelConfig ControlNetModelConfig::from_json(const Json& json) {
  require_supported(json, "class_embed_type", {nullptr, "identity", "projection"}, kControlNetModel);
  require_supported(json, "mid_block_type", {"UNetMidBlock2DCrossAttn", "UNetMidBlock2D"}, kControlNetModel);
  require_types(value_or(json, "down_block_types", std::vector<std::string>{}), "down_block_types",
                {"CrossAttnDownBlock2D", "DownBlock2D"}, kControlNetModel);
  ControlNetModelConfig config;
  config.unet = UNet2DConditionModelConfig::from_json(unet_json(json));
  config.conditioning_channels = value_or(json, "conditioning_channels", config.conditioning_channels);
  config.controlnet_conditioning_channel_order =
      value_or(json, "controlnet_conditioning_channel_order", config.controlnet_conditioning_channel_order);
  config.conditioning_embedding_out_channels =
      value_or(json, "conditioning_embedding_out_channels", config.conditioning_embedding_out_channels);
  config.global_pool_conditions = value_or(json, "global_pool_conditions", config.global_pool_conditions);
  config.validate();
  return config;
}

nlohmann::ordered_json ControlNetModelConfig::to_json() const {
  auto json = unet.to_json();
  for (const auto* key : kUNetsAlone) json.erase(key);
  json["_class_name"] = kControlNetModel;
  json["conditioning_channels"] = conditioning_channels;
  json["conditioning_embedding_out_channels"] = conditioning_embedding_out_channels;
  json["controlnet_conditioning_channel_order"] = controlnet_conditioning_channel_order;
  json["global_pool_conditions"] = global_pool_conditions;
  return json;
}

void ControlNetModelConfig::validate() const {
  unet.validate();
  const auto& order = controlnet_conditioning_channel_order;
  if (order != "rgb" && order != "bgr")
    refuse_value(kControlNetModel, "controlnet_conditioning_channel_order", "\"" + order + "\"", "rgb or bgr");
  if (conditioning_embedding_out_channels.empty())
    refuse_value(kControlNetModel, "conditioning_embedding_out_channels", "[]", "one number of channels or more");
}

std::int64_t ControlNetModelConfig::downscale_factor() const {
  return std::int64_t{1} << (conditioning_embedding_out_channels.size() - 1);
}

}  // namespace sfumato
