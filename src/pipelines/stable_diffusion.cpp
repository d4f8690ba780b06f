#include "pipelines/stable_diffusion.h"

#include <algorithm>
#include <stdexcept>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "diffusion/scheduler_classes.h"
#include "models/original_layout.h"
#include "nn/layers.h"
#include "pipelines/diffusers_folder.h"
#include "pipelines/single_file.h"

namespace sfumato {
namespace {

/// Of Stable Diffusion 1, where a config names none.
constexpr std::int64_t kDefaultLatentSide = 64;

/// Such a UNet asks for more than a prompt, or gives other than the VAE takes.
void check_unet(const std::filesystem::path& path, const UNet2DConditionModelConfig& unet,
                const AutoencoderKLConfig& vae) {
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error("model '" + path.string() + "': unet: " + why);
  };
  if (!unet.class_embed_type.empty() || unet.num_class_embeds != 0)
    refuse("class embeddings are not supported by this pipeline");
  const auto channels = vae.latent_channels, with_mask = 2 * channels + 1;
  if (unet.in_channels != channels && unet.in_channels != with_mask)
    refuse("in_channels " + std::to_string(unet.in_channels) + ", expected the VAE's latent_channels " +
           std::to_string(channels) + " or, for inpainting, " + std::to_string(with_mask));
}

/// An AutoencoderKL of `config` from a file of weights alone, or of a whole checkpoint.
std::shared_ptr<AutoencoderKLImpl> load_vae_file(const std::filesystem::path& path, const AutoencoderKLConfig& config,
                                                 const Placement& placement) {
  const std::string prefix = "first_stage_model.", key = "decoder.conv_in.weight",
                    block = "decoder.up.0.block.0.conv1.weight";
  const SafetensorsFile file(path);
  auto vae = std::make_shared<AutoencoderKLImpl>(config);
  if (file.contains(prefix + key)) {
    load_weights(*vae, path, placement, original_vae_names(config, prefix));
  } else if (file.contains(block)) {
    load_weights(*vae, path, placement, original_vae_names(config, ""));
  } else {
    load_weights(*vae, path, placement, AutoencoderKLImpl::rename_key);
  }
  vae->eval();
  return vae;
}

}  // namespace

bool StableDiffusion::is_xl() const {
  return unet->config().addition_embed_type == "text_time";
}

ModelLimits StableDiffusion::limits() const {
  ModelLimits limits{.num_train_timesteps = schedule.num_train_timesteps(),
                     .vae_scale_factor = vae->config().downscale_factor()};
  for (const auto& encoder : text_encoders)
    limits.clip_layers = limits.clip_layers == 0 ? encoder.layers : std::min(limits.clip_layers, encoder.layers);
  if (refiner) limits.clip_layers = std::min(limits.clip_layers, refiner->limits().clip_layers);
  return limits;
}

std::string StableDiffusion::default_sampler() const {
  return sfumato::default_sampler(schedule.config());
}

std::string StableDiffusion::default_prompt_syntax() const {
  return limits().clip_layers > 0 ? "a1111" : "plain";
}

std::int64_t StableDiffusion::default_height() const {
  const auto& size = unet->config().sample_size;
  return (size.empty() ? kDefaultLatentSide : size.front()) * vae->config().downscale_factor();
}

std::int64_t StableDiffusion::default_width() const {
  const auto& size = unet->config().sample_size;
  return (size.empty() ? kDefaultLatentSide : size.back()) * vae->config().downscale_factor();
}

StableDiffusion load_stable_diffusion(const std::filesystem::path& path, const Placement& placement,
                                      const std::vector<std::filesystem::path>& tokenizers) {
  auto model = std::filesystem::is_regular_file(path) ? load_single_file(path, placement, tokenizers)
                                                      : load_diffusers_folder(path, placement);
  check_unet(path, model.unet->config(), model.vae->config());
  if (placement.device.is_cuda()) {
    make_channels_last(*model.unet);
    make_channels_last(*model.vae);
  }
  return model;
}

void use_vae(StableDiffusion& model, const std::filesystem::path& path) {
  const auto channels = model.vae->config().latent_channels;
  if (std::filesystem::is_directory(path)) {
    const auto folder = std::filesystem::exists(path / "model_index.json") ? path / "vae" : path;
    const auto config = AutoencoderKLConfig::from_json(read_json(folder / "config.json"));
    model.vae_placement = vae_placement_of(model.placement, config.force_upcast);
    model.vae = from_pretrained<AutoencoderKLImpl>(folder, model.vae_placement);
  } else if (std::filesystem::exists(path)) {
    // No key of a file tells whether its activations stay within float16.
    model.vae_placement = vae_placement_of(model.placement, /*force_upcast=*/true);
    model.vae = load_vae_file(path, model.vae->config(), model.vae_placement);
  } else {
    throw std::runtime_error("VAE '" + path.string() + "': no such folder or file");
  }
  if (model.vae->config().latent_channels != channels)
    throw std::runtime_error("VAE '" + path.string() + "' has " + std::to_string(model.vae->config().latent_channels) +
                             " latent channels, expected the model's " + std::to_string(channels));
  if (model.vae_placement.device.is_cuda()) make_channels_last(*model.vae);
}

Placement vae_placement_of(const Placement& placement, bool force_upcast) {
  auto vae_placement = placement;
  if (placement.dtype == torch::kFloat16 && force_upcast) vae_placement.dtype = torch::kFloat32;
  return vae_placement;
}

}  // namespace sfumato
