#include "models/unet_2d_condition_config.h"

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

/// Reads a bool, or a list of bools, as 0 and 1.
OneOrMany one_or_many_bools(const Json& json, const std::string& key, const OneOrMany& fallback) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return fallback;
  if (found->is_boolean()) return {found->get<bool>() ? 1 : 0};
  const auto values = value_or(json, key, std::vector<bool>{});
  return {values.begin(), values.end()};
}

void read_blocks(const Json& json, UNet2DConditionModelConfig& config) {
  config.down_block_types = value_or(json, "down_block_types", config.down_block_types);
  config.up_block_types = value_or(json, "up_block_types", config.up_block_types);
  const auto mid = json.find("mid_block_type");
  if (mid != json.end()) config.mid_block_type = mid->is_null() ? "" : mid->get<std::string>();
  config.only_cross_attention = one_or_many_bools(json, "only_cross_attention", config.only_cross_attention);
  const auto mid_only = json.find("mid_block_only_cross_attention");
  if (mid_only != json.end() && !mid_only->is_null())
    config.mid_block_only_cross_attention = value_or(json, "mid_block_only_cross_attention", false);
  config.block_out_channels = value_or(json, "block_out_channels", config.block_out_channels);
  config.layers_per_block = one_or_many(json, "layers_per_block", config.layers_per_block);
  config.downsample_padding = value_or(json, "downsample_padding", config.downsample_padding);
  config.mid_block_scale_factor = value_or(json, "mid_block_scale_factor", config.mid_block_scale_factor);
  config.dropout = value_or(json, "dropout", config.dropout);
  config.act_fn = value_or(json, "act_fn", config.act_fn);
  config.norm_num_groups = value_or(json, "norm_num_groups", config.norm_num_groups);
  config.norm_eps = value_or(json, "norm_eps", config.norm_eps);
  config.resnet_time_scale_shift = value_or(json, "resnet_time_scale_shift", config.resnet_time_scale_shift);
}

void read_attention(const Json& json, UNet2DConditionModelConfig& config) {
  config.cross_attention_dim = one_or_many(json, "cross_attention_dim", config.cross_attention_dim);
  config.transformer_layers_per_block =
      layers_of_blocks(json, "transformer_layers_per_block", config.transformer_layers_per_block);
  config.reverse_transformer_layers_per_block = layers_of_blocks(json, "reverse_transformer_layers_per_block", {});
  config.encoder_hid_dim = value_or(json, "encoder_hid_dim", config.encoder_hid_dim);
  config.attention_head_dim = one_or_many(json, "attention_head_dim", config.attention_head_dim);
  config.use_linear_projection = value_or(json, "use_linear_projection", config.use_linear_projection);
  config.upcast_attention = value_or(json, "upcast_attention", config.upcast_attention);
}

void read_embeddings(const Json& json, UNet2DConditionModelConfig& config) {
  config.class_embed_type = value_or(json, "class_embed_type", config.class_embed_type);
  config.num_class_embeds = value_or(json, "num_class_embeds", config.num_class_embeds);
  config.addition_embed_type = value_or(json, "addition_embed_type", config.addition_embed_type);
  config.addition_embed_type_num_heads =
      value_or(json, "addition_embed_type_num_heads", config.addition_embed_type_num_heads);
  config.addition_time_embed_dim = value_or(json, "addition_time_embed_dim", config.addition_time_embed_dim);
  config.projection_class_embeddings_input_dim =
      value_or(json, "projection_class_embeddings_input_dim", config.projection_class_embeddings_input_dim);
  config.class_embeddings_concat = value_or(json, "class_embeddings_concat", config.class_embeddings_concat);
  config.time_embedding_dim = value_or(json, "time_embedding_dim", config.time_embedding_dim);
  config.time_embedding_act_fn = value_or(json, "time_embedding_act_fn", config.time_embedding_act_fn);
  config.timestep_post_act = value_or(json, "timestep_post_act", config.timestep_post_act);
  config.time_cond_proj_dim = value_or(json, "time_cond_proj_dim", config.time_cond_proj_dim);
}

nlohmann::ordered_json bools(const OneOrMany& values) {
  if (values.size() == 1) return values.front() != 0;
  return std::vector<bool>(values.begin(), values.end());
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
  config.sample_size = one_or_many(json, "sample_size", config.sample_size);
  config.in_channels = value_or(json, "in_channels", config.in_channels);
  config.out_channels = value_or(json, "out_channels", config.out_channels);
  config.center_input_sample = value_or(json, "center_input_sample", config.center_input_sample);
  config.flip_sin_to_cos = value_or(json, "flip_sin_to_cos", config.flip_sin_to_cos);
  config.freq_shift = value_or(json, "freq_shift", config.freq_shift);
  config.conv_in_kernel = value_or(json, "conv_in_kernel", config.conv_in_kernel);
  config.conv_out_kernel = value_or(json, "conv_out_kernel", config.conv_out_kernel);
  read_blocks(json, config);
  read_attention(json, config);
  read_embeddings(json, config);
  config.validate();
  return config;
}

nlohmann::ordered_json UNet2DConditionModelConfig::to_json() const {
  nlohmann::ordered_json json;
  json["_class_name"] = kUNet2DConditionModel;
  json["act_fn"] = act_fn;
  json["addition_embed_type"] = null_if_empty(addition_embed_type);
  json["addition_embed_type_num_heads"] = addition_embed_type_num_heads;
  json["addition_time_embed_dim"] = null_if_zero(addition_time_embed_dim);
  json["attention_head_dim"] = to_json_value(attention_head_dim);
  json["block_out_channels"] = block_out_channels;
  json["center_input_sample"] = center_input_sample;
  json["class_embed_type"] = null_if_empty(class_embed_type);
  json["class_embeddings_concat"] = class_embeddings_concat;
  json["conv_in_kernel"] = conv_in_kernel;
  json["conv_out_kernel"] = conv_out_kernel;
  json["cross_attention_dim"] = to_json_value(cross_attention_dim);
  json["down_block_types"] = down_block_types;
  json["downsample_padding"] = downsample_padding;
  json["dropout"] = dropout;
  json["encoder_hid_dim"] = null_if_zero(encoder_hid_dim);
  json["encoder_hid_dim_type"] = null_if_empty(encoder_hid_dim > 0 ? "text_proj" : "");
  json["flip_sin_to_cos"] = flip_sin_to_cos;
  json["freq_shift"] = freq_shift;
  json["in_channels"] = in_channels;
  json["layers_per_block"] = to_json_value(layers_per_block);
  json["mid_block_only_cross_attention"] = nullptr;
  if (mid_block_only_cross_attention) json["mid_block_only_cross_attention"] = *mid_block_only_cross_attention;
  json["mid_block_scale_factor"] = mid_block_scale_factor;
  json["mid_block_type"] = null_if_empty(mid_block_type);
  json["norm_eps"] = norm_eps;
  json["norm_num_groups"] = norm_num_groups;
  json["num_class_embeds"] = null_if_zero(num_class_embeds);
  json["only_cross_attention"] = bools(only_cross_attention);
  json["out_channels"] = out_channels;
  json["projection_class_embeddings_input_dim"] = null_if_zero(projection_class_embeddings_input_dim);
  json["resnet_time_scale_shift"] = resnet_time_scale_shift;
  if (!reverse_transformer_layers_per_block.empty())
    json["reverse_transformer_layers_per_block"] = to_json_value(reverse_transformer_layers_per_block);
  json["sample_size"] = to_json_value(sample_size);
  json["time_cond_proj_dim"] = null_if_zero(time_cond_proj_dim);
  json["time_embedding_act_fn"] = null_if_empty(time_embedding_act_fn);
  json["time_embedding_dim"] = null_if_zero(time_embedding_dim);
  json["timestep_post_act"] = null_if_empty(timestep_post_act);
  json["transformer_layers_per_block"] = to_json_value(transformer_layers_per_block);
  json["up_block_types"] = up_block_types;
  json["upcast_attention"] = upcast_attention;
  json["use_linear_projection"] = use_linear_projection;
  return json;
}

}  // namespace sfumato
