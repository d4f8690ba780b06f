#include <stdexcept>

#include "models/config_members.h"
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
  // A member of 0 stands for null, which a file's 0 does not.
  for (const auto* key : {"attention_head_dim", "attn_norm_num_groups"})
    if (const auto found = json.find(key); found != json.end() && found->is_number_integer())
      require_positive(kUNet2DModel, key, {found->get<std::int64_t>()});
}

template <class Members, class Config>
void list_unet_members(Members& members, Config& config) {
  members.value("act_fn", config.act_fn);
  members.value("add_attention", config.add_attention);
  members.nullable("attention_head_dim", config.attention_head_dim);
  members.nullable("attn_norm_num_groups", config.attn_norm_num_groups);
  members.value("block_out_channels", config.block_out_channels);
  members.value("center_input_sample", config.center_input_sample);
  members.nullable("class_embed_type", config.class_embed_type);
  members.value("down_block_types", config.down_block_types);
  members.value("downsample_padding", config.downsample_padding);
  members.value("downsample_type", config.downsample_type);
  members.value("dropout", config.dropout);
  members.value("flip_sin_to_cos", config.flip_sin_to_cos);
  members.value("freq_shift", config.freq_shift);
  members.value("in_channels", config.in_channels);
  members.value("layers_per_block", config.layers_per_block);
  members.value("mid_block_scale_factor", config.mid_block_scale_factor);
  members.nullable("mid_block_type", config.mid_block_type);
  members.value("norm_eps", config.norm_eps);
  members.value("norm_num_groups", config.norm_num_groups);
  members.nullable("num_class_embeds", config.num_class_embeds);
  members.value("out_channels", config.out_channels);
  members.value("resnet_time_scale_shift", config.resnet_time_scale_shift);
  members.one_or_many("sample_size", config.sample_size);
  members.nullable("time_embedding_dim", config.time_embedding_dim);
  members.value("up_block_types", config.up_block_types);
  members.value("upsample_type", config.upsample_type);
}

}  // namespace

UNet2DModelConfig UNet2DModelConfig::from_json(const Json& json) {
  require_supported_values(json);
  UNet2DModelConfig config;
  MemberReader reader(json);
  list_unet_members(reader, config);
  config.validate();
  return config;
}

nlohmann::ordered_json UNet2DModelConfig::to_json() const {
  nlohmann::ordered_json json = {{"_class_name", kUNet2DModel}};
  MemberWriter writer(json);
  list_unet_members(writer, *this);
  return json;
}

void UNet2DModelConfig::validate() const {
  require_positive(kUNet2DModel, "in_channels", {in_channels});
  require_positive(kUNet2DModel, "out_channels", {out_channels});
  require_positive(kUNet2DModel, "norm_num_groups", {norm_num_groups});
  require_positive(kUNet2DModel, "block_out_channels", block_out_channels);
  require_positive(kUNet2DModel, "layers_per_block", {layers_per_block});
  require_dropout(kUNet2DModel, "dropout", dropout);
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
