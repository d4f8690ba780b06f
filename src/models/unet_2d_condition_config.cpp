#include "models/unet_2d_condition_config.h"

#include <stdexcept>

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
  require_supported(json, "mid_block_type", {null, "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"}, kUNet2DConditionModel);
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

/// Checks for one number for a block, or one for each of its layers.
void validate_transformer_layers(const UNet2DConditionModelConfig& config) {
  const auto blocks = config.block_out_channels.size();
  const auto check = [&](const LayersOfBlocks& values, const std::string& key, bool up) {
    if (values.empty()) return;
    if (values.size() != 1 && values.size() != blocks)
      refuse_value(kUNet2DConditionModel, key, std::to_string(values.size()) + " values",
                   "one, or one for each of " + std::to_string(blocks) + " blocks");
    for (std::size_t i = 0; i < blocks; ++i) {
      require_positive(kUNet2DConditionModel, key, at_block(values, i));
      const auto layers = at_block(config.layers_per_block, up ? blocks - 1 - i : i) + (up ? 1 : 0);
      const auto count = static_cast<std::int64_t>(at_block(values, i).size());
      if (count != 1 && count != layers)
        refuse_value(kUNet2DConditionModel, key,
                     "a list of " + std::to_string(count) + " for block " + std::to_string(i),
                     "one for each of its " + std::to_string(layers) + " layers");
    }
  };
  check(config.transformer_layers_per_block, "transformer_layers_per_block", false);
  check(config.reverse_transformer_layers_per_block, "reverse_transformer_layers_per_block", true);
  // As in diffusers: lists for the layers of the down blocks do not determine those of the up blocks.
  for (const auto& layers : config.transformer_layers_per_block)
    if (layers.size() > 1 && config.reverse_transformer_layers_per_block.empty())
      refuse_value(kUNet2DConditionModel, "reverse_transformer_layers_per_block", "null",
                   "a list, since 'transformer_layers_per_block' has lists");
}

void require(bool condition, const std::string& what) {
  if (!condition) throw std::invalid_argument(std::string(kUNet2DConditionModel) + ": " + what);
}

}  // namespace

const OneOrMany& UNet2DConditionModelConfig::up_transformer_layers(std::size_t index) const {
  if (!reverse_transformer_layers_per_block.empty()) return at_block(reverse_transformer_layers_per_block, index);
  return at_block(transformer_layers_per_block, block_out_channels.size() - 1 - index);
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

void UNet2DConditionModelConfig::validate() const {
  const auto blocks = block_out_channels.size();
  require_positive(kUNet2DConditionModel, "in_channels", {in_channels});
  require_positive(kUNet2DConditionModel, "out_channels", {out_channels});
  require_positive(kUNet2DConditionModel, "norm_num_groups", {norm_num_groups});
  require_positive(kUNet2DConditionModel, "block_out_channels", block_out_channels);
  require_positive(kUNet2DConditionModel, "layers_per_block", layers_per_block);
  require_positive(kUNet2DConditionModel, "attention_head_dim", attention_head_dim);
  require_positive(kUNet2DConditionModel, "cross_attention_dim", cross_attention_dim);
  const auto count = [&](const std::vector<std::string>& types, const std::string& key) {
    require(types.size() == blocks && blocks > 0, "'" + key + "' names " + std::to_string(types.size()) +
                                                      " blocks, 'block_out_channels' " + std::to_string(blocks));
  };
  count(down_block_types, "down_block_types");
  count(up_block_types, "up_block_types");
  require_types(down_block_types, "down_block_types", {"CrossAttnDownBlock2D", "DownBlock2D"}, kUNet2DConditionModel);
  require_types(up_block_types, "up_block_types", {"CrossAttnUpBlock2D", "UpBlock2D"}, kUNet2DConditionModel);
  const std::string where = std::string(kUNet2DConditionModel) + ": ";
  require_per_block(attention_head_dim, blocks, where + "'attention_head_dim'");
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
