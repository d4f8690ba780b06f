#include "models/original_layout.h"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "models/file_part.h"
#include "models/vae_file.h"

namespace sfumato {
namespace {

using Part = FilePart;

constexpr const char* kUnet = "model.diffusion_model.";
constexpr const char* kVae = "first_stage_model.";
// Prefixes of text encoders: Stable Diffusion 1 and 2 have the first, XL the second and third, its refiner the second.
constexpr const char* kTexts[] = {"cond_stage_model.", "conditioner.embedders.0.", "conditioner.embedders.1."};
constexpr double kScalingFactorOfXl = 0.13025, kScalingFactorOfPlayground = 0.5;
constexpr const char *kEdmMean = "edm_mean", *kEdmStd = "edm_std";

AutoencoderKLConfig read_vae(const Part& part, const UNet2DConditionModelConfig& unet) {
  auto config = read_original_vae(part, usual_vae(unet));
  config.sample_size = config.downscale_factor() * unet.sample_size.front();
  return config;
}

CLIPTextModelConfig read_clip(const Part& part) {
  CLIPTextModelConfig config;
  config.vocab_size = part.size("embeddings.token_embedding.weight", 0);
  config.hidden_size = part.size("embeddings.token_embedding.weight", 1);
  config.max_position_embeddings = part.size("embeddings.position_embedding.weight", 0);
  config.intermediate_size = part.size("encoder.layers.0.mlp.fc1.weight", 0);
  config.num_hidden_layers = part.count("encoder.layers.", ".mlp.fc1.weight");
  config.num_attention_heads = config.hidden_size / kOriginalHeadWidth;
  config.projection_dim = config.hidden_size;
  return config;
}

CLIPTextModelConfig read_open_clip(const Part& part, bool projects) {
  CLIPTextModelConfig config;
  config.vocab_size = part.size("token_embedding.weight", 0);
  config.hidden_size = part.size("token_embedding.weight", 1);
  config.max_position_embeddings = part.size("positional_embedding", 0);
  config.intermediate_size = part.size("transformer.resblocks.0.mlp.c_fc.weight", 0);
  config.num_hidden_layers = part.count("transformer.resblocks.", ".mlp.c_fc.weight") - (projects ? 0 : 1);
  config.num_attention_heads = config.hidden_size / kOriginalHeadWidth;
  config.projection_dim = projects ? part.size("text_projection", 1) : config.hidden_size;
  config.hidden_act = "gelu";
  return config;
}

std::string without(const std::string& key, const std::string& prefix) {
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

OriginalTextEncoder clip_encoder(const TensorFile& file, const std::string& prefix) {
  // Some files omit the level text_model.
  const std::string level = file.contains(prefix + "embeddings.token_embedding.weight") ? "" : "text_model.";
  const auto names = [prefix](const std::string& key) -> std::vector<std::string> {
    if (!key.starts_with(prefix)) return {};
    const auto name = CLIPTextModelImpl::rename_key(without(key, prefix));
    return name.empty() ? std::vector<std::string>() : std::vector<std::string>{name};
  };
  return {.config = read_clip(Part(file, prefix + level)), .names = names};
}

OriginalTextEncoder open_clip_encoder(const TensorFile& file, const std::string& prefix, bool projects) {
  const auto config = read_open_clip(Part(file, prefix), projects);
  const auto names = [prefix, projects, layers = config.num_hidden_layers](const std::string& key) {
    if (!key.starts_with(prefix)) return std::vector<std::string>();
    const auto inner = without(key, prefix);
    if (projects && inner == "text_projection") return std::vector<std::string>{"text_projection.weight"};
    auto names = names_of_open_clip_key(inner, layers);
    if (projects)
      for (auto& name : names) name = "text_model." + name;
    return names;
  };
  return {.config = config, .is_open_clip = true, .projects = projects, .names = names};
}

std::vector<OriginalTextEncoder> read_text_encoders(const TensorFile& file, bool is_xl) {
  std::vector<OriginalTextEncoder> encoders;
  for (const std::string place : kTexts) {
    if (file.contains(place + "model.token_embedding.weight"))
      encoders.push_back(open_clip_encoder(file, place + "model.", is_xl));
    else if (file.contains(place + "transformer.text_model.embeddings.token_embedding.weight") ||
             file.contains(place + "transformer.embeddings.token_embedding.weight"))
      encoders.push_back(clip_encoder(file, place + "transformer."));
  }
  if (encoders.empty()) throw std::runtime_error("no known text encoder in it");
  return encoders;
}

void refuse_others(const TensorFile& file) {
  const auto& names = file.names();
  const auto starts = [&](const std::string& prefix) {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(prefix); });
  };
  if (!starts(kUnet))
    throw std::runtime_error(std::string("no key begins with ") + kUnet +
                             ": expected a Stable Diffusion 1, 2 or XL checkpoint");
  if (file.contains("edm_vpred.sigma_max"))
    throw std::runtime_error(
        "has the key edm_vpred.sigma_max, as models of EDM's form that predict v (CosXL) do: expected one that "
        "predicts eps");
  if (file.contains(kEdmMean) != file.contains(kEdmStd))
    throw std::runtime_error(std::string("has one of the keys ") + kEdmMean + " and " + kEdmStd +
                             ": expected both (Playground 2.5) or none");
}

std::vector<double> channel_values(const TensorFile& file, const char* key, std::int64_t channels) {
  const auto values = file.tensor(key).to(torch::kFloat64).contiguous();
  if (values.numel() != channels)
    throw std::runtime_error(std::string("has ") + std::to_string(values.numel()) + " values in " + key +
                             ": expected one for each of " + std::to_string(channels) + " latent channels");
  return {values.data_ptr<double>(), values.data_ptr<double>() + channels};
}

/// Sets the scale of Playground's latents: diffusers' create_vae_diffusers_config_from_ldm.
void read_edm_latents(const TensorFile& file, AutoencoderKLConfig& vae) {
  vae.scaling_factor = kScalingFactorOfPlayground;
  vae.latents_mean = channel_values(file, kEdmMean, vae.latent_channels);
  vae.latents_std = channel_values(file, kEdmStd, vae.latent_channels);
}

}  // namespace

bool is_checkpoint_key(const std::string& key) {
  static constexpr std::array kParts = {kUnet, kVae, "cond_stage_model.", "conditioner.", "model_ema.", "denoiser."};
  // Noise-schedule buffers that CompVis' class DDPM registers.
  static constexpr std::array kSchedule = {"betas",
                                           "alphas_cumprod",
                                           "alphas_cumprod_prev",
                                           "sqrt_alphas_cumprod",
                                           "sqrt_one_minus_alphas_cumprod",
                                           "log_one_minus_alphas_cumprod",
                                           "sqrt_recip_alphas_cumprod",
                                           "sqrt_recipm1_alphas_cumprod",
                                           "posterior_variance",
                                           "posterior_log_variance_clipped",
                                           "posterior_mean_coef1",
                                           "posterior_mean_coef2",
                                           "lvlb_weights",
                                           "logvar",
                                           "scale_factor",
                                           "cond_ids"};
  return std::any_of(kParts.begin(), kParts.end(), [&](const char* part) { return key.starts_with(part); }) ||
         std::find(kSchedule.begin(), kSchedule.end(), key) != kSchedule.end();
}

std::vector<std::string> unknown_keys(const TensorFile& file) {
  static constexpr std::array<std::string_view, 4> kMarks = {"v_pred", "ztsnr", kEdmMean, kEdmStd};
  std::vector<std::string> unknown;
  for (const auto& key : file.names())
    if (!is_checkpoint_key(key) && std::find(kMarks.begin(), kMarks.end(), key) == kMarks.end()) unknown.push_back(key);
  return unknown;
}

AutoencoderKLConfig usual_vae(const UNet2DConditionModelConfig& unet) {
  AutoencoderKLConfig config;
  config.block_out_channels = {128, 256, 512, 512};
  config.layers_per_block = 2;
  config.latent_channels = unet.out_channels;
  if (!unet.sample_size.empty()) config.sample_size = config.downscale_factor() * unet.sample_size.front();
  if (!unet.addition_embed_type.empty()) config.scaling_factor = kScalingFactorOfXl;
  return config;
}

KeyNames names_by_key(const torch::nn::Module& network, const std::string& prefix,
                      const std::function<std::string(const std::string&)>& key_of) {
  auto names = std::make_shared<std::unordered_map<std::string, std::string>>();
  for (const auto& item : network.named_parameters()) (*names)[prefix + key_of(item.key())] = item.key();
  return [names, prefix](const std::string& key) -> std::vector<std::string> {
    if (!key.starts_with(prefix)) return {};
    const auto found = names->find(key);
    return {found == names->end() ? key : found->second};
  };
}

KeyNames original_vae_names(const AutoencoderKLConfig& config, const std::string& prefix) {
  return names_by_key(AutoencoderKLImpl(config), prefix,
                      [&](const std::string& name) { return original_vae_key(name, config); });
}

OriginalLayout read_original_layout(const TensorFile& file) {
  refuse_others(file);
  OriginalLayout layout;
  layout.unet = read_original_unet(Part(file, kUnet));
  layout.has_vae = file.contains(std::string(kVae) + "decoder.conv_in.weight");
  layout.vae = layout.has_vae ? read_vae(Part(file, kVae), layout.unet) : usual_vae(layout.unet);
  layout.text_encoders = read_text_encoders(file, layout.is_xl());
  layout.has_v_pred = file.contains("v_pred");
  layout.has_ztsnr = layout.has_v_pred && file.contains("ztsnr");
  layout.has_edm_latents = file.contains(kEdmMean);
  if (layout.has_edm_latents) read_edm_latents(file, layout.vae);
  layout.unet_names = names_by_key(UNet2DConditionModelImpl(layout.unet), kUnet,
                                   [&](const std::string& name) { return original_unet_key(name, layout.unet); });
  layout.vae_names = original_vae_names(layout.vae, kVae);
  return layout;
}

}  // namespace sfumato
