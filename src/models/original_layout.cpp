#include "models/original_layout.h"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <unordered_map>

#include "models/file_part.h"
#include "models/vae_file.h"

namespace sfumato {
namespace {

using Part = FilePart;

constexpr const char* kUnet = "model.diffusion_model.";
constexpr const char* kVae = "first_stage_model.";
// Where text encoders stand: Stable Diffusion 1 and 2 have the first, XL the second and third, its refiner the second.
constexpr const char* kTexts[] = {"cond_stage_model.", "conditioner.embedders.0.", "conditioner.embedders.1."};
constexpr double kScalingFactorOfXl = 0.13025;
constexpr std::int64_t kHeadWidth = 64;  // of every transformer but Stable Diffusion 1's UNet

std::int64_t transformer_depth(const Part& part, const std::string& attention) {
  return part.count(attention + "transformer_blocks.", ".norm1.weight");
}

/// `depths` has 0 for a block without attention. One number where all agree, as the configs have it.
void read_transformer_depths(const Part& part, std::vector<std::int64_t> depths, UNet2DConditionModelConfig& config) {
  const auto middle = transformer_depth(part, "middle_block.1.");
  const bool same =
      std::all_of(depths.begin(), depths.end(), [&](auto depth) { return depth == 0 || depth == middle; });
  std::replace(depths.begin(), depths.end(), std::int64_t{0}, std::int64_t{1});
  config.transformer_layers_per_block = same ? std::vector<std::int64_t>{middle} : depths;
}

/// Blocks of the UNet's way down: resnets and their attention, each but the last ended by a downsampling.
void read_unet_blocks(const Part& part, UNet2DConditionModelConfig& config) {
  config.block_out_channels.clear();
  config.down_block_types.clear();
  std::int64_t resnets = 0;
  std::string attention;
  std::vector<std::int64_t> depths;
  const auto end_block = [&] {
    config.down_block_types.push_back(attention.empty() ? "DownBlock2D" : "CrossAttnDownBlock2D");
    depths.push_back(attention.empty() ? 0 : transformer_depth(part, attention));
    attention.clear();
  };
  for (std::int64_t i = 1;; ++i) {
    const auto place = "input_blocks." + std::to_string(i);
    if (part.has(place + ".0.op.weight")) {
      end_block();
      resnets = 0;
      continue;
    }
    if (!part.has(place + ".0.out_layers.3.weight")) break;
    if (++resnets == 1) config.block_out_channels.push_back(part.size(place + ".0.out_layers.3.weight", 0));
    config.layers_per_block = {resnets};
    if (!part.has(place + ".1.norm.weight")) continue;
    attention = place + ".1.";
    config.use_linear_projection = part.shape(attention + "proj_in.weight").size() == 2;
    config.cross_attention_dim = {part.size(attention + "transformer_blocks.0.attn2.to_k.weight", 1)};
  }
  end_block();
  read_transformer_depths(part, depths, config);
  config.up_block_types.clear();
  for (auto type = config.down_block_types.rbegin(); type != config.down_block_types.rend(); ++type)
    config.up_block_types.push_back(*type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D");
}

/// What Stable Diffusion XL is told besides: the pooled text, and sizes of which each is embedded in 256 channels.
void read_additions(const Part& part, UNet2DConditionModelConfig& config) {
  if (!part.has("label_emb.0.0.weight")) return;
  config.addition_embed_type = "text_time";
  config.addition_time_embed_dim = 256;
  config.projection_class_embeddings_input_dim = part.size("label_emb.0.0.weight", 1);
}

UNet2DConditionModelConfig read_unet(const Part& part) {
  auto config = read_original_way_down(part);
  config.out_channels = part.size("out.2.weight", 0);
  config.sample_size = {!config.addition_embed_type.empty() ? 128 : config.use_linear_projection ? 96 : 64};
  config.validate();
  return config;
}

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
  config.num_attention_heads = config.hidden_size / kHeadWidth;
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
  config.num_attention_heads = config.hidden_size / kHeadWidth;
  config.projection_dim = projects ? part.size("text_projection", 1) : config.hidden_size;
  config.hidden_act = "gelu";
  return config;
}

std::string without(const std::string& key, const std::string& prefix) {
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

OriginalTextEncoder clip_encoder(const TensorFile& file, const std::string& prefix) {
  // Some files leave out the level text_model.
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
  if (encoders.empty()) throw std::runtime_error("no text encoder in it that is known");
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
  for (const auto* key : {"edm_mean", "edm_std", "edm_vpred.sigma_max"})
    if (file.contains(key))
      throw std::runtime_error(
          std::string("has the key ") + key +
          ", as models in EDM's terms (Playground 2.5) have it: expected one that predicts eps or v");
}

}  // namespace

bool is_checkpoint_key(const std::string& key) {
  static constexpr std::array kParts = {kUnet, kVae, "cond_stage_model.", "conditioner.", "model_ema.", "denoiser."};
  // What CompVis' class DDPM registers of its schedule.
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
  std::vector<std::string> unknown;
  for (const auto& key : file.names())
    if (!is_checkpoint_key(key) && key != "v_pred" && key != "ztsnr") unknown.push_back(key);
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

UNet2DConditionModelConfig read_original_way_down(const FilePart& part) {
  UNet2DConditionModelConfig config;
  config.in_channels = part.size("input_blocks.0.0.weight", 1);
  read_unet_blocks(part, config);
  set_heads(config);
  read_additions(part, config);
  return config;
}

void set_heads(UNet2DConditionModelConfig& config) {
  config.attention_head_dim = {8};
  if (!config.use_linear_projection) return;
  config.attention_head_dim.clear();
  for (const auto channels : config.block_out_channels) config.attention_head_dim.push_back(channels / kHeadWidth);
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
  layout.unet = read_unet(Part(file, kUnet));
  layout.has_vae = file.contains(std::string(kVae) + "decoder.conv_in.weight");
  layout.vae = layout.has_vae ? read_vae(Part(file, kVae), layout.unet) : usual_vae(layout.unet);
  layout.text_encoders = read_text_encoders(file, layout.is_xl());
  layout.has_v_pred = layout.is_xl() && file.contains("v_pred");
  layout.has_ztsnr = layout.has_v_pred && file.contains("ztsnr");
  layout.unet_names = names_by_key(UNet2DConditionModelImpl(layout.unet), kUnet,
                                   [&](const std::string& name) { return original_unet_key(name, layout.unet); });
  layout.vae_names = original_vae_names(layout.vae, kVae);
  return layout;
}

}  // namespace sfumato
