#pragma once

#include "data/pack.h"
#include "training/latent_cache.h"
#include "training/randomness.h"
#include "training/recipe.h"
#include "training/task.h"
#include "training/text_to_image_objective.h"

namespace sfumato {

/// A TextToImageObjective on the cached latents of captioned pictures, both networks from scratch.
class TextToImageTask : public Task {
 public:
  TextToImageTask(const Recipe& recipe, const RunFolder& run, torch::Device device, const OnEncoded& on_encoded);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  void init_from(const std::filesystem::path& folder) override;
  Batch batch(std::int64_t step) override;
  /// {"held_out_loss": the loss of held-out pictures, with the same noise and timesteps every time}.
  Json evaluate() override;
  /// The pack's probe prompts, each from its own seed.
  torch::Tensor sample_grid() override;

 private:
  /// Latents and token ids of these pictures.
  Batch examples(const torch::Tensor& indices) const;
  void drop_captions(Batch& batch, at::Generator& generator) const;
  /// Draws noise and timesteps, the latter shifted (LossRecipe::timestep_shift).
  void add_noise_to(Batch& batch, double shift, at::Generator& generator) const;

  Recipe recipe_;
  torch::Device device_;
  Pack pack_;
  TextToImageObjective objective_;
  ShuffledOrder order_;
  LatentCache cache_;  // last: it writes into the run's folder, when everything else is known to be good
};

}  // namespace sfumato
