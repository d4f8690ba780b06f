#include <stdexcept>

#include "checkpoints/key_mismatches.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/save.h"
#include "core/files.h"
#include "core/whole_folder.h"
#include "models/original_layout.h"
#include "systems/stable_diffusion/pipeline_files.h"
#include "systems/stable_diffusion/single_file_check.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

bool is_text_encoder(const std::string& part) {
  return part.starts_with("text_encoder");
}

/// Uses the names of transformers before version 5, which all versions read: with the level text_model.
NamedWeights transformers_names(const NamedWeights& weights) {
  NamedWeights named;
  for (const auto& [name, tensor] : weights) {
    const bool has_level = name.starts_with("text_model.") || name.starts_with("text_projection.");
    named[has_level ? name : "text_model." + name] = tensor;
  }
  return named;
}

bool is_clip(const PipelineFiles::Network& network) {
  const auto config = Json(network.config);
  return value_or<std::string>(config, "model_type", "clip_text_model").starts_with("clip");
}

void write_network(const PipelineFiles::Network& network, const std::string& part, const fs::path& folder,
                   const ConversionOptions& options) {
  const bool is_text = is_text_encoder(part);
  save_weights(is_text && is_clip(network) ? transformers_names(network.weights) : network.weights, folder,
               {.dtype = options.dtype,
                .max_shard_size = options.max_shard_size,
                .basename = is_text ? "model" : "diffusion_pytorch_model"});
  write_json(folder / "config.json", network.config);
}

bool is_stopped(const ConversionOptions& options) {
  return options.stop_requested && options.stop_requested();
}

/// True if the index contains the class without a projection, for any weights.
bool is_without_projection(const PipelineFiles& files, const std::string& part) {
  const auto entry = files.index.find(part);
  return entry != files.index.end() && entry->is_array() && !entry->empty() && entry->back() == "CLIPTextModel";
}

/// Throws std::invalid_argument, with the folder's names, if a part's weights do not match its network: once renamed,
/// an unknown key could overwrite another one.
void require_keys(const std::string& part, const NamedWeights& weights, const torch::nn::Module& network) {
  std::vector<std::string> missing, unexpected;
  const auto parameters = network.named_parameters();
  for (const auto& item : parameters)
    if (!weights.contains(item.key())) missing.push_back(in_quotes(item.key()));
  for (const auto& [name, tensor] : weights)
    if (!parameters.contains(name)) unexpected.push_back(in_quotes(name));
  KeyMismatches faults;
  faults.add("missing", missing);
  faults.add("unexpected", unexpected);
  if (!faults.empty())
    throw std::invalid_argument("the weights of " + part + " do not fit its config: " + faults.text());
}

void require_text_keys(const std::string& part, const NamedWeights& weights, const CLIPTextModelConfig& config,
                       bool projects) {
  if (projects)
    require_keys(part, weights, CLIPTextModelWithProjectionImpl(config));
  else
    require_keys(part, weights, CLIPTextModelImpl(config));
}

/// Returns a text encoder under its keys in the original layout; `place` is that of original_text_weights.
NamedWeights text_weights(const PipelineFiles& files, const std::string& part, int place) {
  const auto& network = files.networks.at(part);
  if (!is_clip(network))
    throw std::invalid_argument("the original layout has no place for a text encoder of type '" +
                                value_or<std::string>(Json(network.config), "model_type", "") +
                                "': expected CLIP's, as Stable Diffusion 1, 2 and XL have");
  const bool projects = network.weights.contains("text_projection.weight");
  const auto config = CLIPTextModelConfig::from_json(network.config);
  require_text_keys(part, network.weights, config, projects && !is_without_projection(files, part));
  return original_text_weights(network.weights, config, projects, place);
}

/// Adds the keys that mark how a file was trained: without a value (ComfyUI's and, for XL, AUTOMATIC1111's), or the
/// scale of Playground's latents.
void add_marks(const PipelineFiles& files, const AutoencoderKLConfig& vae, NamedWeights& weights) {
  const auto schedule = Json(files.scheduler);
  if (value_or<std::string>(schedule, "_class_name", "").starts_with("EDM") && !vae.latents_mean.empty()) {
    weights["edm_mean"] = torch::tensor(vae.latents_mean, torch::kFloat32);
    weights["edm_std"] = torch::tensor(vae.latents_std, torch::kFloat32);
  }
  const bool predicts_v = value_or<std::string>(schedule, "prediction_type", "epsilon") == "v_prediction";
  if (!predicts_v) return;
  weights["v_pred"] = torch::empty({0});
  if (value_or(schedule, "rescale_betas_zero_snr", false)) weights["ztsnr"] = torch::empty({0});
}

NamedWeights original_weights(const PipelineFiles& files) {
  const auto& unet = files.networks.at("unet");
  const auto& vae = files.networks.at("vae");
  if (const auto name = value_or<std::string>(Json(vae.config), "_class_name", "AutoencoderKL");
      name != "AutoencoderKL")
    throw std::invalid_argument("the original layout has no place for a VAE of class '" + name +
                                "': expected AutoencoderKL");
  const auto unet_config = UNet2DConditionModelConfig::from_json(unet.config);
  const auto vae_config = AutoencoderKLConfig::from_json(vae.config);
  require_keys("unet", unet.weights, UNet2DConditionModelImpl(unet_config));
  require_keys("vae", vae.weights, AutoencoderKLImpl(vae_config));
  auto weights = original_unet_weights(unet.weights, unet_config);
  weights.merge(original_vae_weights(vae.weights, vae_config));
  const bool is_xl = files.networks.contains("text_encoder_2");
  int place = is_xl ? 0 : -1;
  for (const auto* part : {"text_encoder", "text_encoder_2"})
    if (files.networks.contains(part)) weights.merge(text_weights(files, part, is_xl ? place++ : place));
  add_marks(files, vae_config, weights);
  return weights;
}

}  // namespace

bool write_pipeline_folder(const PipelineFiles& files, const fs::path& folder, const ConversionOptions& options) {
  return write_whole_folder(folder, [&](const fs::path& written) {
    for (const auto& [part, network] : files.networks) {
      if (is_stopped(options)) return false;
      write_network(network, part, written / part, options);
    }
    if (is_stopped(options)) return false;
    for (const auto& [part, from] : files.tokenizers) copy_tokenizer_files(from, written / part);
    write_json(written / "scheduler" / "scheduler_config.json", files.scheduler);
    write_json(written / "model_index.json", files.index);
    return true;
  });
}

bool write_single_file(const PipelineFiles& files, const fs::path& file, const ConversionOptions& options) {
  auto weights = original_weights(files);
  for (const auto& warning : check_single_file(files, weights, options.tokenizers))
    if (options.warn) options.warn(warning);
  if (options.dtype)
    for (auto& [key, tensor] : weights)
      if (tensor.is_floating_point()) tensor = tensor.to(*options.dtype);
  if (is_stopped(options)) return false;
  write_safetensors(file, weights, {{"format", "pt"}});
  return true;
}

}  // namespace sfumato
