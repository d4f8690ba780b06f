#pragma once

#include "data/pack.h"
#include "training/kinds/text_to_image/text_to_image_recipe.h"
#include "training/loading/loader.h"
#include "training/randomness.h"

namespace sfumato {

/// Loads batches of a TextToImageObjective: cached latents with their captions' ids, noise and timesteps.
class TextToImageLoader : public Loader {
 public:
  /// `latents`: float16 [M, C, h, w] on the CPU. The pack must outlive the loader.
  TextToImageLoader(const TextToImageRecipe& recipe, const Pack& pack, torch::Tensor latents, torch::Device device);

  Batch batch(std::int64_t number) override;
  /// Returns the images of these indices at timesteps of the whole schedule, without caption dropout.
  Batch held_out(const torch::Tensor& indices, at::Generator& generator) const;

 private:
  /// Returns latents and token ids of these images.
  Batch examples(const torch::Tensor& indices) const;
  void drop_captions(Batch& batch, at::Generator& generator) const;
  /// Draws noise and timesteps, the latter shifted (TextToImageLossRecipe::timestep_shift).
  void add_noise_to(Batch& batch, double shift, at::Generator& generator) const;

  std::uint64_t seed_;
  double caption_dropout_, timestep_shift_;
  std::int64_t num_train_timesteps_;
  const Pack& pack_;
  torch::Tensor latents_;
  torch::Device device_;
  ShuffledOrder order_;
};

}  // namespace sfumato
