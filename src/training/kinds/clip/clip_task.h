#pragma once

#include "data/pack.h"
#include "training/kinds.h"
#include "training/kinds/clip/clip_objective.h"
#include "training/loading/latent_cache.h"
#include "training/loading/loader.h"
#include "training/randomness.h"
#include "training/task.h"

namespace sfumato {

/// Loads batches of a CLIPObjective: images of a pack, or their latents, with captions and, of a noised model, noise
/// and uniform timesteps.
class CLIPLoader : public Loader {
 public:
  /// `latents`: float16 [M, C, h, w] on the CPU, or undefined for pixels. The pack must outlive the loader.
  CLIPLoader(const CLIPRecipe& recipe, Pack& pack, torch::Tensor latents, torch::Device device);

  Batch batch(std::int64_t number) override;
  /// Returns the images of these indices, with noise from `generator`.
  Batch examples(const torch::Tensor& indices, at::Generator& generator);

 private:
  std::uint64_t seed_;
  std::int64_t num_train_timesteps_;  // 0 without noise
  Pack& pack_;
  torch::Tensor latents_;
  torch::Device device_;
  ShuffledOrder order_;
};

/// Trains a CLIPModel on the captioned images of a pack.
class CLIPTask : public Task {
 public:
  CLIPTask(const CLIPRecipe& recipe, const TaskContext& context);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  void init_from(const std::filesystem::path& folder) override;
  /// Returns {"held_out_loss", "held_out_accuracy"} over batches of 64 held-out images, with the same noise and
  /// timesteps every time. The accuracy is the share of images whose most similar caption is theirs. Adds
  /// "held_out_accuracy_clean", at timestep 0, for a noised model.
  Json evaluate(std::int64_t step) override;
  /// Returns held-out images, those with a wrong caption first.
  torch::Tensor sample_grid() override;

 private:
  /// Mean loss and accuracy.
  struct Measures {
    double loss = 0, accuracy = 0;
  };
  Measures measure(bool clean);
  Batch held_out(const torch::Tensor& indices, bool clean);

  CLIPRecipe recipe_;
  torch::Device device_;
  Pack pack_;
  LatentCache cache_;  // empty on pixels
  CLIPObjective objective_;
  CLIPLoader loader_;
};

}  // namespace sfumato
