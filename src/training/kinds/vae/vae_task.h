#pragma once

#include "data/pack.h"
#include "training/kinds/vae/vae_loader.h"
#include "training/kinds/vae/vae_objective.h"
#include "training/task.h"

namespace sfumato {

/// Trains a VaeObjective on images of a pack or random crops of them.
class VaeTask : public Task {
 public:
  VaeTask(const VaeRecipe& recipe, torch::Device device);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  void init_from(const std::filesystem::path& folder) override;
  /// Returns {"held_out_psnr": decibels over the held-out pixels evaluated, "latent_std": std of the latents' means}.
  Json evaluate(std::int64_t step) override;
  /// Returns held-out images in the odd rows, and below each its reconstruction.
  torch::Tensor sample_grid() override;

 private:
  torch::Tensor held_out_images(std::int64_t first, std::int64_t count);

  VaeRecipe recipe_;
  torch::Device device_;
  Pack pack_;
  VaeObjective objective_;
  VaeLoader loader_;
};

}  // namespace sfumato
