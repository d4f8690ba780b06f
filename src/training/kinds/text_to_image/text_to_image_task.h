#pragma once

#include "data/pack.h"
#include "training/kinds.h"
#include "training/kinds/text_to_image/text_to_image_loader.h"
#include "training/kinds/text_to_image/text_to_image_objective.h"
#include "training/loading/latent_cache.h"
#include "training/task.h"

namespace sfumato {

/// Trains a TextToImageObjective on the cached latents of captioned images, both networks from scratch.
class TextToImageTask : public Task {
 public:
  TextToImageTask(const TextToImageRecipe& recipe, const TaskContext& context);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  void init_from(const std::filesystem::path& folder) override;
  /// Returns {"held_out_loss": the loss of held-out images, with the same noise and timesteps every time}.
  Json evaluate(std::int64_t step) override;
  /// Returns images of the pack's probe prompts, each from its own seed.
  torch::Tensor sample_grid() override;

 private:
  TextToImageRecipe recipe_;
  torch::Device device_;
  Pack pack_;
  TextToImageObjective objective_;
  LatentCache cache_;  // last: it writes into the run's folder, so all other members must be valid first
  TextToImageLoader loader_;
};

}  // namespace sfumato
