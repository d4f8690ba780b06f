#pragma once

#include "data/pack.h"
#include "models/autoencoder_kl.h"
#include "training/randomness.h"
#include "training/recipe.h"
#include "training/task.h"

namespace sfumato {

/// Trains an AutoencoderKL to give back pictures: pixels' mean square (and absolute) error on random crops, plus a
/// small KL divergence (Kingma & Welling 2014; Rombach et al. 2022, appendix G, without the adversarial part).
class VaeTask : public Task {
 public:
  VaeTask(const Recipe& recipe, torch::Device device);

  NamedTensors parameters() override;
  void init_from(const std::filesystem::path& folder) override;
  torch::Tensor loss(std::int64_t step) override;
  /// {"held_out_psnr": decibels over all held-out pixels looked at, "latent_std": deviation of their latents' means}.
  Json evaluate() override;
  /// Held-out pictures in the odd rows, and below each what the autoencoder makes of it.
  torch::Tensor sample_grid() override;

 private:
  torch::Tensor crops(std::int64_t step, at::Generator& generator);
  torch::Tensor held_out_images(std::int64_t first, std::int64_t count);

  Recipe recipe_;
  torch::Device device_;
  Pack pack_;
  AutoencoderKL vae_;
  ShuffledOrder order_;
};

}  // namespace sfumato
