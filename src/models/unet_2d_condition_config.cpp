#include "models/unet_2d_condition_config.h"

#include "models/config_members.h"

namespace sfumato {
namespace {

constexpr const char* kUNet2DConditionModel = "UNet2DConditionModel";

void require_supported_condition_values(const Json& json) {
  const Json null = nullptr;
  require_supported(json, "num_attention_heads", {null}, kUNet2DConditionModel);
  require_supported(json, "dual_cross_attention", {null, false}, kUNet2DConditionModel);
  require_supported(json, "encoder_hid_dim_type", {null, "text_proj"}, kUNet2DConditionModel);
  require_supported(json, "addition_embed_type", {null, "text", "text_time"}, kUNet2DConditionModel);
  require_supported(json, "time_embedding_type", {null, "positional"}, kUNet2DConditionModel);
  require_supported(json, "attention_type", {null, "default"}, kUNet2DConditionModel);
  require_supported(json, "mid_block_type",
                    {null, "UNetMidBlock2DCrossAttn", "UNetMidBlock2DSimpleCrossAttn", "UNetMidBlock2D"},
                    kUNet2DConditionModel);
  require_supported(json, "resnet_skip_time_act", {null, false}, kUNet2DConditionModel);
  require_supported(json, "resnet_out_scale_factor", {null, 1}, kUNet2DConditionModel);
  require_supported(json, "cross_attention_norm", {null}, kUNet2DConditionModel);
  require_supported(json, "class_embed_type", {null, "timestep", "identity", "projection", "simple_projection"},
                    kUNet2DConditionModel);
}

template <class Members, class Config>
void list_members(Members& members, Config& config) {
  members.value("act_fn", config.act_fn);
  members.nullable("addition_embed_type", config.addition_embed_type);
  members.value("addition_embed_type_num_heads", config.addition_embed_type_num_heads);
  members.nullable("addition_time_embed_dim", config.addition_time_embed_dim);
  members.one_or_many("attention_head_dim", config.attention_head_dim);
  members.value("block_out_channels", config.block_out_channels);
  members.value("center_input_sample", config.center_input_sample);
  members.nullable("class_embed_type", config.class_embed_type);
  members.value("class_embeddings_concat", config.class_embeddings_concat);
  members.value("conv_in_kernel", config.conv_in_kernel);
  members.value("conv_out_kernel", config.conv_out_kernel);
  members.one_or_many("cross_attention_dim", config.cross_attention_dim);
  members.value("down_block_types", config.down_block_types);
  members.value("downsample_padding", config.downsample_padding);
  members.value("dropout", config.dropout);
  members.nullable("encoder_hid_dim", config.encoder_hid_dim);
  members.value("flip_sin_to_cos", config.flip_sin_to_cos);
  members.value("freq_shift", config.freq_shift);
  members.value("in_channels", config.in_channels);
  members.one_or_many("layers_per_block", config.layers_per_block);
  members.nullable("mid_block_only_cross_attention", config.mid_block_only_cross_attention);
  members.value("mid_block_scale_factor", config.mid_block_scale_factor);
  members.nullable("mid_block_type", config.mid_block_type);
  members.value("norm_eps", config.norm_eps);
  members.value("norm_num_groups", config.norm_num_groups);
  members.nullable("num_class_embeds", config.num_class_embeds);
  members.flags("only_cross_attention", config.only_cross_attention);
  members.value("out_channels", config.out_channels);
  members.nullable("projection_class_embeddings_input_dim", config.projection_class_embeddings_input_dim);
  members.value("resnet_time_scale_shift", config.resnet_time_scale_shift);
  members.unless_empty("reverse_transformer_layers_per_block", config.reverse_transformer_layers_per_block);
  members.one_or_many("sample_size", config.sample_size);
  members.nullable("time_cond_proj_dim", config.time_cond_proj_dim);
  members.nullable("time_embedding_act_fn", config.time_embedding_act_fn);
  members.nullable("time_embedding_dim", config.time_embedding_dim);
  members.nullable("timestep_post_act", config.timestep_post_act);
  members.per_layer("transformer_layers_per_block", config.transformer_layers_per_block);
  members.value("up_block_types", config.up_block_types);
  members.value("upcast_attention", config.upcast_attention);
  members.value("use_linear_projection", config.use_linear_projection);
}

}  // namespace

const OneOrMany& UNet2DConditionModelConfig::up_transformer_layers(std::size_t index) const {
  if (!reverse_transformer_layers_per_block.empty()) return at_block(reverse_transformer_layers_per_block, index);
  return at_block(transformer_layers_per_block, block_out_channels.size() - 1 - index);
}

bool UNet2DConditionModelConfig::mid_attends_to_text_alone() const {
  return mid_block_only_cross_attention.value_or(only_cross_attention.size() == 1 && only_cross_attention.front() != 0);
}

std::int64_t UNet2DConditionModelConfig::states_width() const {
  return encoder_hid_dim > 0 ? encoder_hid_dim : cross_attention_dim.front();
}

UNet2DConditionModelConfig UNet2DConditionModelConfig::from_json(const Json& json) {
  require_supported_condition_values(json);
  UNet2DConditionModelConfig config;
  MemberReader reader(json);
  list_members(reader, config);
  config.validate();
  return config;
}

nlohmann::ordered_json UNet2DConditionModelConfig::to_json() const {
  nlohmann::ordered_json json = {{"_class_name", kUNet2DConditionModel}};
  MemberWriter writer(json);
  list_members(writer, *this);
  json["encoder_hid_dim_type"] = encoder_hid_dim > 0 ? Json("text_proj") : Json();
  return json;
}

}  // namespace sfumato
