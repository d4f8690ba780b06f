#include "systems/stable_diffusion/refiner.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/json.h"
#include "models/clip_text_model.h"

namespace sfumato {
namespace {

std::string compared(const std::string& name, double own, double expected) {
  return name + " " + Json(own).dump() + ", expected the model's " + Json(expected).dump();
}

/// Returns the difference that prevents the refiner from using the base's latents; "" if there is none.
std::string difference(const StableDiffusion& refiner, const StableDiffusion& base) {
  if (refiner.is_xl() != base.is_xl())
    return base.is_xl() ? "is no Stable Diffusion XL, expected its refiner or another model of that kind"
                        : "is a Stable Diffusion XL, expected a model of the same kind as the one to refine";
  const auto &own = (refiner.vae ? refiner.vae : base.vae)->config(), &expected = base.vae->config();
  if (own.latent_channels != expected.latent_channels)
    return "its VAE has " + std::to_string(own.latent_channels) + " latent channels, expected the model's " +
           std::to_string(expected.latent_channels);
  if (own.downscale_factor() != expected.downscale_factor())
    return "its VAE makes " + std::to_string(own.downscale_factor()) + " pixels of one, expected the model's " +
           std::to_string(expected.downscale_factor());
  if (own.scaling_factor != expected.scaling_factor)
    return compared("its VAE has scaling_factor", own.scaling_factor, expected.scaling_factor);
  if (own.shift_factor != expected.shift_factor)
    return compared("its VAE has shift_factor", own.shift_factor, expected.shift_factor);
  if (own.latents_mean != expected.latents_mean || own.latents_std != expected.latents_std)
    return "its VAE has other latents_mean or latents_std than the model's";
  if (const auto channels = refiner.unet->config().in_channels; channels != expected.latent_channels)
    return "its UNet takes " + std::to_string(channels) + " channels, expected the latents' " +
           std::to_string(expected.latent_channels);
  for (const auto* model : {&refiner, &base})
    if (model->schedule.continuous())
      return "a scheduler is " + model->schedule.config().class_name +
             ", expected ones with numbered timesteps, by which the refiner takes over";
  if (refiner.schedule.alphas_cumprod() != base.schedule.alphas_cumprod())
    return "its scheduler has other noise levels than the model's";
  return "";
}

template <class Clip>
bool is_same_clip(const TextEncoder& a, const TextEncoder& b) {
  const auto *first = a.module->as<Clip>(), *second = b.module->as<Clip>();
  if (first == nullptr || second == nullptr || !(first->config() == second->config())) return false;
  const auto own = first->parameters(), other = second->parameters();
  return std::equal(own.begin(), own.end(), other.begin(), other.end(), torch::equal);
}

/// Returns the text encoder with the base's network if both are equal.
TextEncoder shared_with(const TextEncoder& base, const TextEncoder& own) {
  if (!is_same_clip<CLIPTextModelWithProjectionImpl>(own, base) && !is_same_clip<CLIPTextModelImpl>(own, base))
    return own;
  return {own.tokenizer, base.module, base.encode, base.layers, base.vocabulary_size};
}

}  // namespace

std::shared_ptr<const StableDiffusion> load_refiner(const std::filesystem::path& path, const StableDiffusion& base,
                                                    const std::vector<std::filesystem::path>& tokenizers,
                                                    const Adapters& adapters) {
  auto refiner = std::make_shared<StableDiffusion>(
      load_stable_diffusion(path, base.placement, tokenizers, {.may_be_missing = true}));
  if (const auto why = difference(*refiner, base); !why.empty())
    throw std::runtime_error("refiner '" + path.string() + "': " + why);
  add_bundled_embeddings(*refiner, adapters.loras);
  add_embeddings(*refiner, adapters.embeddings);
  refiner->vae = base.vae;
  refiner->text_encoders.back() = shared_with(base.text_encoders.back(), refiner->text_encoders.back());
  return refiner;
}

std::vector<bool> steps_of_refiner(const std::vector<Step>& steps, const Request::Refiner& refiner,
                                   std::int64_t num_train_timesteps) {
  const auto count = static_cast<double>(num_train_timesteps);
  const double first = std::nearbyint(count - refiner.switch_at * count);
  std::vector<bool> refined;
  for (const auto& step : steps) refined.push_back(step.from.t < first);
  return refined;
}

}  // namespace sfumato
