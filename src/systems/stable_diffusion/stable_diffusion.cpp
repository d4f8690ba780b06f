#include "systems/stable_diffusion/stable_diffusion.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "diffusion/scheduler_classes.h"
#include "nn/layers.h"
#include "systems/stable_diffusion/diffusers_folder.h"
#include "systems/stable_diffusion/single_file.h"

namespace sfumato {
namespace {

/// Default of Stable Diffusion 1, for a config without a value.
constexpr std::int64_t kDefaultLatentSide = 64;

/// Refuses a UNet that needs inputs other than a prompt, or whose output does not match the VAE.
void check_unet(const std::filesystem::path& path, const StableDiffusion& model) {
  const auto& unet = model.unet->config();
  const auto refuse = [&](const std::string& why) {
    throw std::runtime_error("model '" + path.string() + "': unet: " + why);
  };
  if (!unet.class_embed_type.empty() || unet.num_class_embeds != 0)
    refuse("class embeddings are not supported by this pipeline");
  if (model.vae == nullptr) return;
  const auto channels = model.vae->config().latent_channels, with_image = 2 * channels, with_mask = with_image + 1;
  if (unet.in_channels != channels && unet.in_channels != with_image && unet.in_channels != with_mask)
    refuse("in_channels " + std::to_string(unet.in_channels) + ", expected the VAE's latent_channels " +
           std::to_string(channels) + " or, to edit pictures, " + std::to_string(with_image) + " or, for inpainting, " +
           std::to_string(with_mask));
}

/// Refuses flow matching without an initial noise of the scheduler, which diffusers' pipelines of such a UNet need.
void check_scheduler(const std::filesystem::path& path, const Schedule& schedule) {
  const auto& config = schedule.config();
  if (config.process == "flow")
    throw std::runtime_error("model '" + path.string() + "': scheduler is " + config.class_name +
                             ", expected one for a UNet2DConditionModel, as EulerDiscreteScheduler");
}

}  // namespace

torch::Tensor StableDiffusion::predict(const UNet2DConditionInput& input) const {
  return replayed_unet ? replayed_unet->forward(input) : unet->forward(input);
}

bool StableDiffusion::is_xl() const {
  return unet->config().addition_embed_type == "text_time";
}

bool StableDiffusion::edits_images() const {
  return unet->config().in_channels == 2 * vae->config().latent_channels;
}

bool StableDiffusion::takes_mask() const {
  return unet->config().in_channels == 2 * vae->config().latent_channels + 1;
}

std::int64_t StableDiffusion::clip_layers() const {
  std::int64_t layers = 0;
  for (const auto& encoder : text_encoders) layers = layers == 0 ? encoder.layers : std::min(layers, encoder.layers);
  return layers;
}

ModelLimits StableDiffusion::limits() const {
  return {.num_train_timesteps = schedule.num_train_timesteps(),
          .vae_scale_factor = vae->config().downscale_factor(),
          .clip_layers = clip_layers()};
}

std::string StableDiffusion::default_sampler() const {
  return sfumato::default_sampler(schedule.config());
}

std::string StableDiffusion::default_prompt_syntax() const {
  return clip_layers() > 0 ? "a1111" : "plain";
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
                                      const std::vector<std::filesystem::path>& tokenizers, const VaeChoice& vae) {
  auto model = std::filesystem::is_regular_file(path) ? load_single_file(path, placement, tokenizers, vae)
                                                      : load_diffusers_folder(path, placement, vae);
  if (model.vae == nullptr && !vae.may_be_missing)
    throw std::runtime_error("model '" + path.string() +
                             "' brings no VAE: expected an AutoencoderKL in it, or one by --vae");
  check_unet(path, model);
  check_scheduler(path, model.schedule);
  make_channels_last(*model.unet);
  if (model.vae) make_channels_last(*model.vae);
  if (placement.offload) {
    for (auto& encoder : model.text_encoders) encoder = offloaded(std::move(encoder), placement.device);
    if (model.vae) model.vae->offload(placement.device);
  }
  model.replayed_unet = replayed(model.unet, placement.device);
  return model;
}

void use_prediction(StableDiffusion& model, const std::string& prediction_type) {
  auto config = model.schedule.config();
  config.prediction_type = prediction_type;
  config.validate();
  model.schedule = Schedule(config);
}

}  // namespace sfumato
