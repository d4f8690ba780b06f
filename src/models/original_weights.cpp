#include <algorithm>
#include <stdexcept>

#include "models/original_layout.h"

namespace sfumato {
namespace {

constexpr const char* kUnetPrefix = "model.diffusion_model.";
constexpr const char* kVaePrefix = "first_stage_model.";
constexpr const char* kProjection = "text_projection.weight";

/// True for 1 x 1 convolutions of the VAE's attention, which are linear layers in diffusers.
bool is_vae_attention(const std::string& name) {
  return name.find(".attentions.") != std::string::npos && name.find("group_norm") == std::string::npos;
}

std::vector<std::string> open_clip_keys(std::int64_t layers) {
  std::vector<std::string> keys = {"token_embedding.weight", "positional_embedding", "ln_final.weight",
                                   "ln_final.bias"};
  for (std::int64_t i = 0; i < layers; ++i) {
    const auto layer = "transformer.resblocks." + std::to_string(i) + ".";
    keys.insert(keys.end(), {layer + "attn.in_proj_weight", layer + "attn.in_proj_bias"});
    for (const auto* part : {"ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj"})
      for (const auto* kind : {".weight", ".bias"}) keys.push_back(layer + part + kind);
  }
  return keys;
}

/// Returns OpenCLIP's tensors without a prefix, some of which stack several of ours.
NamedWeights open_clip_weights(const NamedWeights& weights, std::int64_t layers) {
  NamedWeights result;
  for (const auto& key : open_clip_keys(layers)) {
    std::vector<torch::Tensor> parts;
    for (const auto& name : names_of_open_clip_key(key, layers)) parts.push_back(weights.at(name));
    result[key] = parts.size() == 1 ? parts.front() : torch::cat(parts);
  }
  return result;
}

void add_unused_layer(NamedWeights& weights, std::int64_t layers) {
  const std::string first = "transformer.resblocks.0.", last = "transformer.resblocks." + std::to_string(layers) + ".";
  NamedWeights unused;
  for (const auto& [key, tensor] : weights)
    if (key.starts_with(first)) unused[last + key.substr(first.size())] = torch::zeros_like(tensor);
  weights.merge(unused);
}

NamedWeights without_level(const NamedWeights& weights, const std::string& level) {
  NamedWeights result;
  for (const auto& [name, tensor] : weights)
    result[name.starts_with(level) ? name.substr(level.size()) : name] = tensor;
  return result;
}

NamedWeights with_prefix(const NamedWeights& weights, const std::string& prefix) {
  NamedWeights result;
  for (const auto& [name, tensor] : weights) result[prefix + name] = tensor;
  return result;
}

}  // namespace

NamedWeights read_original_weights(const TensorFile& file, const torch::nn::Module& network, const KeyNames& names) {
  const auto parameters = network.named_parameters();
  NamedWeights weights;
  for (const auto& key : file.names()) {
    const auto parts = names(key);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto* parameter = parameters.find(parts[i]);
      if (parameter == nullptr) throw std::runtime_error("unexpected \"" + key + "\" in it");
      const auto part = file.tensor(key).chunk(static_cast<std::int64_t>(parts.size()))[i];
      if (part.numel() != parameter->numel())
        throw std::runtime_error("\"" + key + "\" has another size than expected");
      weights[parts[i]] = part.view(parameter->sizes());
    }
  }
  // OpenCLIP multiplies from the left.
  if (const auto found = weights.find(kProjection); found != weights.end())
    found->second = found->second.t().contiguous();
  for (const auto& item : parameters)
    if (!weights.contains(item.key())) throw std::runtime_error("it lacks the tensor for \"" + item.key() + "\"");
  return weights;
}

NamedWeights original_unet_weights(const NamedWeights& weights, const UNet2DConditionModelConfig& config) {
  NamedWeights result;
  for (const auto& [name, tensor] : weights) result[kUnetPrefix + original_unet_key(name, config)] = tensor;
  return result;
}

NamedWeights original_vae_weights(const NamedWeights& weights, const AutoencoderKLConfig& config) {
  NamedWeights result;
  for (const auto& [name, tensor] : weights) {
    const bool widened = is_vae_attention(name) && tensor.dim() == 2;
    result[kVaePrefix + original_vae_key(name, config)] = widened ? tensor.unsqueeze(-1).unsqueeze(-1) : tensor;
  }
  return result;
}

NamedWeights original_text_weights(const NamedWeights& weights, const CLIPTextModelConfig& config, bool projects,
                                   int place) {
  const auto prefix = place < 0 ? "cond_stage_model." : "conditioner.embedders." + std::to_string(place) + ".";
  const auto plain = without_level(weights, "text_model.");
  const bool is_open_clip = config.hidden_act == "gelu";
  if (!is_open_clip) return with_prefix(plain, prefix + std::string("transformer.text_model."));
  auto result = open_clip_weights(plain, config.num_hidden_layers);
  if (projects) result["text_projection"] = plain.at(kProjection).t().contiguous();
  if (place < 0) add_unused_layer(result, config.num_hidden_layers);
  return with_prefix(result, prefix + std::string("model."));
}

}  // namespace sfumato
