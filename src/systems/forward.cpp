#include "systems/forward.h"

#include <stdexcept>

#include "core/cuda.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {
namespace {

Forward load_forward_of_folder(const std::filesystem::path& folder, const Placement& placement) {
  const ModelIndex index(folder);
  std::int64_t channels = 3;
  if (index.names("unet") && std::filesystem::exists(folder / "unet" / "config.json"))
    channels = value_or(read_json(folder / "unet" / "config.json"), "in_channels", channels);
  auto first_stage = load_first_stage(index, placement, channels);
  if (first_stage.is_pixels() && channels != 1 && channels != 3)
    refuse_model(folder, "its unet has " + std::to_string(channels) + " in_channels and it has no autoencoder");
  return {.first_stage = std::move(first_stage), .schedule = load_schedule(index)};
}

}  // namespace

Forward load_forward(const std::filesystem::path& path, const Placement& placement,
                     const std::vector<std::filesystem::path>& tokenizers) {
  if (std::filesystem::is_directory(path)) return load_forward_of_folder(path, placement);
  const auto model = load_stable_diffusion(path, placement, tokenizers);
  return {.first_stage = FirstStage(model.vae, model.vae_placement, placement.device), .schedule = model.schedule};
}

torch::Tensor diffuse(const Forward& forward, const torch::Tensor& image, const std::vector<std::int64_t>& timesteps,
                      NoiseSource& noise) {
  const torch::NoGradGuard no_gradients;
  const auto last = forward.schedule.num_train_timesteps() - 1;
  for (const auto t : timesteps)
    if (t < 0 || t > last)
      throw std::invalid_argument("timestep " + std::to_string(t) + ": expected 0 to " + std::to_string(last));
  const auto x0 = forward.first_stage.encode(image);  // [1, C, h, w]
  const auto eps = noise.draw_like(x0);
  std::vector<torch::Tensor> images;
  for (const auto t : timesteps)
    images.push_back(forward.first_stage.decode(add_noise(x0, eps, forward.schedule.level_at(static_cast<double>(t)))));
  return torch::cat(images);
}

}  // namespace sfumato
