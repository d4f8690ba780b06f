#include "adapters/lora_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "models/original_layout.h"

namespace sfumato {
namespace {

constexpr const char* kWeight = ".weight";
constexpr const char* kBias = ".bias";
constexpr const char* kTextModel = "text_model.";

std::string kohya_name(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

/// Ends of layers' names in diffusers' attention processors, before peft.
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

/// Returns `name` and, for a layer of an attention processor, its name there.
std::vector<std::string> diffusers_names(const std::string& name) {
  std::vector<std::string> names{name};
  for (const auto& [end, processor] : kProcessorEnds)
    if (name.ends_with(end)) names.push_back(name.substr(0, name.size() - std::string(end).size()) + processor);
  return names;
}

/// A layer with a weight and a bias, which may be undefined.
struct WeightedLayer {
  std::string name;
  torch::Tensor weight, bias;
};

std::vector<WeightedLayer> layers_of(const torch::nn::Module& module) {
  std::vector<WeightedLayer> layers;
  const auto parameters = module.named_parameters();
  for (const auto& item : parameters) {
    if (!item.key().ends_with(kWeight)) continue;
    const auto name = item.key().substr(0, item.key().size() - std::string(kWeight).size());
    const auto* bias = parameters.find(name + kBias);
    layers.push_back({name, item.value(), bias == nullptr ? torch::Tensor() : *bias});
  }
  return layers;
}

void add_layer(const std::string& name, const WeightedLayer& layer, LoraWeights& weights) {
  weights[name] = layer.weight;
  if (layer.bias.defined()) weights[name + kBias] = layer.bias;
}

std::string original_layer(const std::string& layer, const UNet2DConditionModelConfig& config) {
  const auto key = original_unet_key(layer + kWeight, config);
  return key.substr(0, key.size() - std::string(kWeight).size());
}

}  // namespace

void add_lora_weights(UNet2DConditionModelImpl& unet, LoraWeights& weights) {
  for (const auto& layer : layers_of(unet)) {
    const auto original = original_layer(layer.name, unet.config());
    for (const std::string prefix : {"lora_unet_", "lycoris_"}) {
      add_layer(prefix + kohya_name(layer.name), layer, weights);
      add_layer(prefix + kohya_name(original), layer, weights);
    }
    for (const auto& name : {layer.name, original}) add_layer("diffusion_model." + name, layer, weights);
    for (const auto& name : diffusers_names(layer.name)) {
      add_layer(name, layer, weights);
      add_layer("unet." + name, layer, weights);
    }
  }
}

void add_lora_weights(const torch::nn::Module& text_encoder, int number, LoraWeights& weights) {
  const std::string kohya = number == 2 ? "lora_te2_" : "lora_te1_";
  const std::string prefix = number == 2 ? "text_encoder_2." : "text_encoder.";
  for (const auto& layer : layers_of(text_encoder)) {
    const bool is_inside = layer.name.starts_with(kTextModel);
    const auto bare = is_inside ? layer.name.substr(std::string(kTextModel).size()) : layer.name;
    for (const auto& full : {bare, kTextModel + bare}) {
      add_layer(kohya + kohya_name(full), layer, weights);
      if (number == 1) add_layer("lora_te_" + kohya_name(full), layer, weights);
      if (number == 1 && full != bare) add_layer("lycoris_" + kohya_name(full), layer, weights);
      for (const auto& name : diffusers_names(full)) add_layer(prefix + name, layer, weights);
    }
  }
}

}  // namespace sfumato
