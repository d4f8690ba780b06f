#pragma once

#include "data/pack.h"
#include "training/randomness.h"
#include "training/recipe.h"
#include "training/task.h"
#include "training/vae_objective.h"

namespace sfumato {

/// A VaeObjective on pictures of a pack or random crops of them.
class VaeTask : public Task {
 public:
  VaeTask(const Recipe& recipe, torch::Device device);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  void init_from(const std::filesystem::path& folder) override;
  Batch batch(std::int64_t step) override;
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
  VaeObjective objective_;
  ShuffledOrder order_;
};

}  // namespace sfumato
