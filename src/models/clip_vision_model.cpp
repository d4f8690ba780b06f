#include "models/clip_vision_model.h"

#include <cmath>
#include <utility>

#include "models/clip_layer.h"
#include "models/config_members.h"
#include "nn/init.h"

namespace sfumato {
namespace {

constexpr const char* kCLIPVisionModel = "CLIPVisionModel";

/// Every position attends to all.
class CLIPVisionAttentionImpl : public CLIPAttentionImpl {
 public:
  explicit CLIPVisionAttentionImpl(const CLIPVisionModelConfig& config)
      : CLIPAttentionImpl(config.hidden_size, config.num_attention_heads, /*is_causal=*/false) {}
};
TORCH_MODULE(CLIPVisionAttention);

template <class Members, class Config>
void list_vision_members(Members& members, Config& config) {
  members.value("hidden_size", config.hidden_size);
  members.value("intermediate_size", config.intermediate_size);
  members.value("projection_dim", config.projection_dim);
  members.value("num_hidden_layers", config.num_hidden_layers);
  members.value("num_attention_heads", config.num_attention_heads);
  members.value("num_channels", config.num_channels);
  members.value("image_size", config.image_size);
  members.value("patch_size", config.patch_size);
  members.value("hidden_act", config.hidden_act);
  members.value("layer_norm_eps", config.layer_norm_eps);
  members.unless_empty("time_embedding", config.time_embedding);
}

void check(const CLIPVisionModelConfig& config) {
  const auto positive = [](const char* key, std::int64_t value) { require_positive(kCLIPVisionModel, key, {value}); };
  positive("hidden_size", config.hidden_size);
  positive("intermediate_size", config.intermediate_size);
  positive("num_hidden_layers", config.num_hidden_layers);
  positive("num_attention_heads", config.num_attention_heads);
  positive("num_channels", config.num_channels);
  positive("image_size", config.image_size);
  positive("patch_size", config.patch_size);
  if (config.hidden_size % config.num_attention_heads != 0)
    refuse_value(kCLIPVisionModel, "num_attention_heads", std::to_string(config.num_attention_heads),
                 "a divisor of hidden_size " + std::to_string(config.hidden_size));
  if (config.patch_size > config.image_size)
    refuse_value(kCLIPVisionModel, "patch_size", std::to_string(config.patch_size),
                 "at most image_size " + std::to_string(config.image_size));
  require_clip_activation(kCLIPVisionModel, config.hidden_act);
}

std::int64_t position_count(const CLIPVisionModelConfig& config) {
  const auto side = config.image_size / config.patch_size;
  return 1 + side * side;
}

}  // namespace

class CLIPVisionLayerImpl : public CLIPLayerImpl<CLIPVisionAttention, CLIPVisionModelConfig> {
 public:
  using CLIPLayerImpl::CLIPLayerImpl;
};

CLIPVisionModelConfig CLIPVisionModelConfig::from_json(const Json& json) {
  CLIPVisionModelConfig config;
  MemberReader reader(json);
  list_vision_members(reader, config);
  check(config);
  return config;
}

nlohmann::ordered_json CLIPVisionModelConfig::to_json() const {
  nlohmann::ordered_json json = {{"model_type", "clip_vision_model"}, {"dtype", "float32"}};
  MemberWriter writer(json);
  list_vision_members(writer, *this);
  return json;
}

CLIPVisionModelImpl::CLIPVisionModelImpl(const CLIPVisionModelConfig& config)
    : config_(config),
      patch_embedding_(config.num_channels, config.hidden_size, config.patch_size,
                       ConvOptions{.stride = config.patch_size, .bias = false}),
      position_embedding_(position_count(config), config.hidden_size),
      pre_layrnorm_(config.hidden_size, config.layer_norm_eps),
      post_layernorm_(config.hidden_size, config.layer_norm_eps) {
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  class_embedding_ = embeddings->register_parameter("class_embedding", torch::empty({config.hidden_size}));
  embeddings->register_module("patch_embedding", patch_embedding_);
  embeddings->register_module("position_embedding", position_embedding_);
  if (config.time_embedding) {
    time_embedding_ = TimestepEmbedding(
        TimestepEmbeddingOptions{.in_channels = config.hidden_size, .time_embed_dim = config.hidden_size});
    register_module("time_embedding", time_embedding_);
  }
  register_module("pre_layrnorm", pre_layrnorm_);
  layers_ = register_clip_layers<CLIPVisionLayerImpl>(*this, config);
  register_module("post_layernorm", post_layernorm_);
}

torch::Tensor CLIPVisionModelImpl::embed(const torch::Tensor& pixels) {
  const auto side = config_.image_size;
  TORCH_CHECK(
      pixels.dim() == 4 && pixels.size(1) == config_.num_channels && pixels.size(2) == side && pixels.size(3) == side,
      "images are [N, ", config_.num_channels, ", ", side, ", ", side, "], got ", pixels.sizes());
  const auto patches = patch_embedding_(pixels).flatten(2).transpose(1, 2);  // [N, P, hidden_size]
  const auto token = class_embedding_.to(patches.scalar_type()).expand({pixels.size(0), 1, -1});
  return torch::cat({token, patches}, 1) + position_embedding_->weight;
}

CLIPVisionModelOutput CLIPVisionModelImpl::forward(const torch::Tensor& pixels, const torch::Tensor& timestep) {
  TORCH_CHECK(timestep.defined() == config_.time_embedding, "a timestep is for models with time_embedding alone");
  auto x = embed(pixels);
  if (time_embedding_) {
    const auto t = expand_timestep(timestep, x.size(0), x.device());
    const auto waves = timestep_embedding(t, {.num_channels = config_.hidden_size});
    x = x + time_embedding_(waves.to(class_embedding_.scalar_type())).unsqueeze(1);
  }
  x = pre_layrnorm_(x);
  for (const auto& layer : layers_) x = layer->forward(x);
  return {.last_hidden_state = x, .pooler_output = post_layernorm_(x.select(1, 0))};
}

void CLIPVisionModelImpl::initialize(at::Generator generator) {
  const torch::NoGradGuard no_grad;
  sfumato::initialize(*this, generator);
  class_embedding_.normal_(0.0, 1.0 / std::sqrt(static_cast<double>(config_.hidden_size)), generator);
  if (!time_embedding_) return;
  for (const auto& item : time_embedding_->named_parameters())
    if (item.key().starts_with("linear_2")) item.value().zero_();
}

std::string CLIPVisionModelImpl::rename_key(const std::string& key) {
  const std::string prefix = "vision_model.";
  if (key.ends_with("embeddings.position_ids")) return "";
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

}  // namespace sfumato
