#include "models/unet_2d_condition_encoder.h"

#include <utility>

namespace sfumato {
namespace {

constexpr double kHidden = -10000;  // diffusers adds this to the scores of masked states

}  // namespace

Conv2d same_size_conv(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return Conv2d(in, out, kernel, ConvOptions{.padding = (kernel - 1) / 2});
}

BlockAttention attention_of(const std::string& block_type) {
  if (block_type.find("SimpleCrossAttn") != std::string::npos) return BlockAttention::kSimpleCross;
  return block_type.find("CrossAttn") != std::string::npos ? BlockAttention::kCross : BlockAttention::kNone;
}

BlockResample resample_of_block(const std::string& block_type) {
  const bool is_resnet = block_type.starts_with("SimpleCrossAttn") || block_type.starts_with("Resnet");
  return is_resnet ? BlockResample::kResnet : BlockResample::kConv;
}

UNet2DConditionEncoder::UNet2DConditionEncoder(UNet2DConditionModelConfig config) : config_(std::move(config)) {
  config_.validate();
  const auto first = config_.block_out_channels.front();
  const auto time_embed_dim = config_.time_embedding_dim > 0 ? config_.time_embedding_dim : 4 * first;
  conv_in = register_module("conv_in", same_size_conv(config_.in_channels, first, config_.conv_in_kernel));
  time_embedding_ = register_module(
      "time_embedding", TimestepEmbedding(TimestepEmbeddingOptions{.in_channels = first,
                                                                   .time_embed_dim = time_embed_dim,
                                                                   .act_fn = config_.act_fn,
                                                                   .post_act_fn = config_.timestep_post_act,
                                                                   .cond_proj_dim = config_.time_cond_proj_dim}));
  if (config_.encoder_hid_dim > 0) {
    encoder_hid_proj_ =
        register_module("encoder_hid_proj", Linear(config_.encoder_hid_dim, config_.cross_attention_dim.front()));
  }
  add_class_embedding(time_embed_dim);
  add_text_embedding(time_embed_dim);
  temb_channels_ = config_.class_embeddings_concat ? 2 * time_embed_dim : time_embed_dim;
  add_down_blocks();
  add_mid_block();
}

void UNet2DConditionEncoder::add_text_embedding(std::int64_t time_embed_dim) {
  if (config_.addition_embed_type == "text_time") {
    add_embedding_ = register_module("add_embedding", TimestepEmbedding(TimestepEmbeddingOptions{
                                                          .in_channels = config_.projection_class_embeddings_input_dim,
                                                          .time_embed_dim = time_embed_dim}));
  } else if (config_.addition_embed_type == "text") {
    text_embedding_ = register_module("add_embedding", TextTimeEmbedding(config_.states_width(), time_embed_dim,
                                                                         config_.addition_embed_type_num_heads));
  }
}

void UNet2DConditionEncoder::add_class_embedding(std::int64_t time_embed_dim) {
  const auto& type = config_.class_embed_type;
  const auto projected = config_.projection_class_embeddings_input_dim;
  if (type.empty() && config_.num_class_embeds > 0) {
    auto table = register_module("class_embedding", Embedding(config_.num_class_embeds, time_embed_dim));
    embed_class_ = [table](const torch::Tensor& labels) { return table->forward(labels); };
  } else if (type == "timestep" || type == "projection") {
    TimestepEmbeddingOptions options{.time_embed_dim = time_embed_dim};
    options.in_channels = type == "timestep" ? config_.block_out_channels.front() : projected;
    if (type == "timestep") options.act_fn = config_.act_fn;
    auto layers = register_module("class_embedding", TimestepEmbedding(options));
    embed_class_ = [layers](const torch::Tensor& x) { return layers->forward(x); };
  } else if (type == "simple_projection") {
    auto layer = register_module("class_embedding", Linear(projected, time_embed_dim));
    embed_class_ = [layer](const torch::Tensor& x) { return layer->forward(x); };
  } else if (type == "identity") {
    embed_class_ = [](const torch::Tensor& x) { return x; };
  }
}

UNetBlockOptions UNet2DConditionEncoder::block_options(std::size_t block) const {
  const auto channels = config_.block_out_channels[block];
  const auto heads = at_block(config_.attention_head_dim, block);
  UNetBlockOptions options;
  options.resnet = {.temb_channels = temb_channels_,
                    .groups = config_.norm_num_groups,
                    .eps = config_.norm_eps,
                    .non_linearity = config_.act_fn,
                    .time_embedding_norm = config_.resnet_time_scale_shift,
                    .dropout = config_.dropout};
  options.transformer = {.num_attention_heads = heads,
                         .attention_head_dim = channels / heads,
                         .cross_attention_dim = at_block(config_.cross_attention_dim, block),
                         .norm_num_groups = config_.norm_num_groups,
                         .use_linear_projection = config_.use_linear_projection,
                         .only_cross_attention = at_block(config_.only_cross_attention, block) != 0};
  options.attention_head_dim = heads;
  options.transformer_layers = at_block(config_.transformer_layers_per_block, block);
  options.downsample_padding = config_.downsample_padding;
  return options;
}

void UNet2DConditionEncoder::add_down_blocks() {
  blocks_.down_blocks = register_module("down_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < config_.block_out_channels.size(); ++i) {
    auto options = block_options(i);
    place_down_block(options, config_.block_out_channels, i, resample_of_block(config_.down_block_types[i]));
    options.num_layers = at_block(config_.layers_per_block, i);
    options.attention = attention_of(config_.down_block_types[i]);
    blocks_.down_blocks->push_back(UNetDownBlock(options));
  }
}

void UNet2DConditionEncoder::add_mid_block() {
  if (config_.mid_block_type.empty()) return;
  const auto attention = attention_of(config_.mid_block_type);
  auto options = block_options(config_.block_out_channels.size() - 1);
  options.in_channels = config_.block_out_channels.back();
  options.num_layers = attention == BlockAttention::kNone ? 0 : 1;
  options.attention = attention;
  options.resnet.output_scale_factor = config_.mid_block_scale_factor;
  // diffusers does not pass it on to a transformer.
  options.transformer.only_cross_attention =
      attention == BlockAttention::kSimpleCross && config_.mid_attends_to_text_alone();
  blocks_.mid_block = register_module("mid_block", UNetMidBlock(options));
}

torch::Tensor UNet2DConditionEncoder::class_embedding(const torch::Tensor& class_labels, torch::Dtype dtype) const {
  TORCH_CHECK(class_labels.defined(), "class_labels are needed by a network with a class embedding");
  if (config_.class_embed_type.empty()) return embed_class_(class_labels).to(dtype);
  if (config_.class_embed_type != "timestep") return embed_class_(class_labels.to(dtype));
  const auto waves = timestep_embedding(class_labels, {.num_channels = config_.block_out_channels.front(),
                                                       .flip_sin_to_cos = config_.flip_sin_to_cos,
                                                       .downscale_freq_shift = config_.freq_shift});
  return embed_class_(waves.to(dtype));
}

torch::Tensor UNet2DConditionEncoder::text_time_embedding(const UNet2DConditionInput& input, torch::Dtype dtype) {
  TORCH_CHECK(input.text_embeds.defined() && input.time_ids.defined(),
              "text_embeds and time_ids are needed by a network with addition_embed_type text_time");
  const auto waves = timestep_embedding(input.time_ids.flatten(), {.num_channels = config_.addition_time_embed_dim,
                                                                   .flip_sin_to_cos = config_.flip_sin_to_cos,
                                                                   .downscale_freq_shift = config_.freq_shift});
  const auto sizes = waves.reshape({input.text_embeds.size(0), -1});  // [N, 6 addition_time_embed_dim]
  return add_embedding_(torch::cat({input.text_embeds.to(sizes.dtype()), sizes}, -1).to(dtype));
}

torch::Tensor UNet2DConditionEncoder::time_embedding(const UNet2DConditionInput& input, torch::Dtype dtype) {
  const auto timesteps = expand_timestep(input.timestep, input.sample.size(0), input.sample.device());
  const auto waves = timestep_embedding(timesteps, {.num_channels = config_.block_out_channels.front(),
                                                    .flip_sin_to_cos = config_.flip_sin_to_cos,
                                                    .downscale_freq_shift = config_.freq_shift});
  const auto condition = input.timestep_cond.defined() ? input.timestep_cond.to(dtype) : torch::Tensor();
  auto embedding = time_embedding_(waves.to(dtype), condition);  // [N, time_embed_dim]
  if (embed_class_) {
    const auto classes = class_embedding(input.class_labels, dtype);
    embedding = config_.class_embeddings_concat ? torch::cat({embedding, classes}, -1) : embedding + classes;
  }
  if (add_embedding_) embedding = embedding + text_time_embedding(input, dtype);
  if (text_embedding_) {
    TORCH_CHECK(input.encoder_hidden_states.defined(),
                "encoder_hidden_states are needed by a network with addition_embed_type text");
    embedding = embedding + text_embedding_(input.encoder_hidden_states.to(dtype));
  }
  return config_.time_embedding_act_fn.empty() ? embedding : activation(config_.time_embedding_act_fn)(embedding);
}

torch::Tensor UNet2DConditionEncoder::attended_states(const torch::Tensor& encoder_hidden_states, torch::Dtype dtype) {
  const auto states = encoder_hidden_states.to(dtype);
  return encoder_hid_proj_ ? encoder_hid_proj_(states) : states;
}

std::vector<torch::Tensor> UNet2DConditionEncoder::text_keys_values(const torch::Tensor& encoder_hidden_states) {
  const auto states = attended_states(encoder_hidden_states, conv_in->weight.scalar_type());
  std::vector<torch::Tensor> keys_values;
  for (auto* layer : text_layers_) keys_values.push_back(layer->keys_and_values(states));
  return keys_values;
}

CrossAttention UNet2DConditionEncoder::cross_attention(const UNet2DConditionInput& input, torch::Dtype dtype) {
  CrossAttention cross;
  cross.identity = input.identity;
  cross.watch = input.watch;
  if (const auto& given = input.text_keys_values; !given.empty()) {
    TORCH_CHECK(given.size() == text_layers_.size(), "keys and values of ", given.size(), " layers, expected ",
                text_layers_.size());
    for (std::size_t i = 0; i < given.size(); ++i) cross.keys_and_values[text_layers_[i]] = given[i];
  } else if (input.encoder_hidden_states.defined()) {
    cross.encoder_hidden_states = attended_states(input.encoder_hidden_states, dtype);
  }
  if (input.encoder_attention_mask.defined()) {
    const auto hidden = (1 - input.encoder_attention_mask.to(dtype)) * kHidden;
    cross.bias = hidden.unsqueeze(1).unsqueeze(1);  // [N, 1, 1, L]
  }
  return cross;
}

torch::Tensor UNet2DConditionEncoder::conv_input(const torch::Tensor& sample) const {
  const auto x = sample.to(conv_in->weight.scalar_type());
  return config_.center_input_sample ? 2 * x - 1 : x;
}

BlockConditions UNet2DConditionEncoder::conditions(const UNet2DConditionInput& input, torch::Dtype dtype) {
  return {.temb = time_embedding(input, dtype), .cross = cross_attention(input, dtype)};
}

}  // namespace sfumato
