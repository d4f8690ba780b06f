#include "models/lora_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "models/original_layout.h"

namespace sfumato {
namespace {

constexpr const char* kWeight = ".weight";
constexpr const char* kTextModel = "text_model.";

std::string kohya_name(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// Ends of layers as diffusers' attention processors had them, before peft.
constexpr std::array<std::pair<const char*, const char*>, 8> kProcessorEnds{{
    {".to_q", ".processor.to_q"},
    {".to_k", ".processor.to_k"},
    {".to_v", ".processor.to_v"},
    {".to_out.0", ".processor.to_out"},
    {".q_proj", ".to_q"},
    {".k_proj", ".to_k"},
    {".v_proj", ".to_v"},
    {".out_proj", ".to_out"},
}};

/// `name`, and as an attention processor's where it is one.
std::vector<std::string> diffusers_names(const std::string& name) {
  std::vector<std::string> names{name};
  for (const auto& [end, processor] : kProcessorEnds)
    if (name.ends_with(end)) names.push_back(name.substr(0, name.size() - std::string(end).size()) + processor);
  return names;
}

/// The weights that are matrices or convolutions, by their layers' names.
std::vector<std::pair<std::string, torch::Tensor>> layers_of(const torch::nn::Module& module) {
  std::vector<std::pair<std::string, torch::Tensor>> layers;
  for (const auto& item : module.named_parameters()) {
    const auto& name = item.key();
    if (!name.ends_with(kWeight) || (item.value().dim() != 2 && item.value().dim() != 4)) continue;
    layers.emplace_back(name.substr(0, name.size() - std::string(kWeight).size()), item.value());
  }
  return layers;
}

std::string original_layer(const std::string& layer, const UNet2DConditionModelConfig& config) {
  const auto key = original_unet_key(layer + kWeight, config);
  return key.substr(0, key.size() - std::string(kWeight).size());
}

}  // namespace

void add_lora_weights(UNet2DConditionModelImpl& unet, LoraWeights& weights) {
  for (const auto& [layer, weight] : layers_of(unet)) {
    weights["lora_unet_" + kohya_name(layer)] = weight;
    weights["lora_unet_" + kohya_name(original_layer(layer, unet.config()))] = weight;
    for (const auto& name : diffusers_names(layer)) weights[name] = weights["unet." + name] = weight;
  }
}

void add_lora_weights(const torch::nn::Module& text_encoder, int number, LoraWeights& weights) {
  const std::string kohya = number == 2 ? "lora_te2_" : "lora_te1_";
  const std::string prefix = number == 2 ? "text_encoder_2." : "text_encoder.";
  for (const auto& [layer, weight] : layers_of(text_encoder)) {
    const auto bare = layer.starts_with(kTextModel) ? layer.substr(std::string(kTextModel).size()) : layer;
    for (const auto& full : {bare, kTextModel + bare}) {
      weights[kohya + kohya_name(full)] = weight;
      if (number == 1) weights["lora_te_" + kohya_name(full)] = weight;
      for (const auto& name : diffusers_names(full)) weights[prefix + name] = weight;
    }
  }
}

}  // namespace sfumato
