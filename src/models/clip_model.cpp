#include "models/clip_model.h"

#include <utility>

#include "models/config_members.h"
#include "nn/init.h"

namespace sfumato {
namespace {

constexpr const char* kCLIPModel = "CLIPModel";

/// Returns the config of a tower, from the key of older files if that is present.
Json tower_config(const Json& json, const std::string& key) {
  for (const auto& name : {key + "_dict", key}) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_object()) refuse_value(kCLIPModel, name, found->dump(), "a config");
    return *found;
  }
  refuse_value(kCLIPModel, key, "missing", "a config");
}

nlohmann::ordered_json without_architectures(nlohmann::ordered_json json) {
  json.erase("architectures");
  return json;
}

}  // namespace

CLIPModelConfig CLIPModelConfig::from_json(const Json& json) {
  require_supported(json, "model_type", {"clip"}, kCLIPModel);
  CLIPModelConfig config{.text_config = CLIPTextModelConfig::from_json(tower_config(json, "text_config")),
                         .vision_config = CLIPVisionModelConfig::from_json(tower_config(json, "vision_config"))};
  MemberReader reader(json);
  reader.value("projection_dim", config.projection_dim);
  reader.value("logit_scale_init_value", config.logit_scale_init_value);
  require_positive(kCLIPModel, "projection_dim", {config.projection_dim});
  return config;
}

nlohmann::ordered_json CLIPModelConfig::to_json() const {
  return {{"architectures", {kCLIPModel}},
          {"model_type", "clip"},
          {"dtype", "float32"},
          {"projection_dim", projection_dim},
          {"logit_scale_init_value", logit_scale_init_value},
          {"text_config", without_architectures(text_config.to_json())},
          {"vision_config", vision_config.to_json()}};
}

CLIPModelImpl::CLIPModelImpl(const CLIPModelConfig& config)
    : config_(config),
      logit_scale_(register_parameter("logit_scale", torch::empty({}))),
      text_model_(config.text_config),
      vision_model_(config.vision_config),
      visual_projection_(config.vision_config.hidden_size, config.projection_dim, /*bias=*/false),
      text_projection_(config.text_config.hidden_size, config.projection_dim, /*bias=*/false) {
  register_module("text_model", text_model_);
  register_module("vision_model", vision_model_);
  register_module("visual_projection", visual_projection_);
  register_module("text_projection", text_projection_);
}

torch::Tensor CLIPModelImpl::text_features(const torch::Tensor& ids) {
  return text_projection_(text_model_->forward(ids).pooler_output);
}

torch::Tensor CLIPModelImpl::image_features(const torch::Tensor& pixels, const torch::Tensor& timestep) {
  return visual_projection_(vision_model_->forward(pixels, timestep).pooler_output);
}

void CLIPModelImpl::clamp_logit_scale() {
  constexpr double kLargestLogarithm = 4.605170185988092;  // of 100
  const torch::NoGradGuard no_grad;
  logit_scale_.clamp_max_(kLargestLogarithm);
}

void CLIPModelImpl::initialize(const at::Generator& generator) {
  const torch::NoGradGuard no_grad;
  sfumato::initialize(*this, generator);
  vision_model_->initialize(generator);
  logit_scale_.fill_(config_.logit_scale_init_value);
}

std::string CLIPModelImpl::rename_key(const std::string& key) {
  return key.ends_with("embeddings.position_ids") ? "" : key;
}

torch::Tensor unit_length(const torch::Tensor& features) {
  return features / features.norm(2, -1, /*keepdim=*/true);
}

}  // namespace sfumato
