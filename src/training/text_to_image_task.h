#pragma once

#include "data/pack.h"
#include "diffusion/process.h"
#include "diffusion/schedule.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/latent_cache.h"
#include "training/randomness.h"
#include "training/recipe.h"
#include "training/task.h"

namespace sfumato {

/// Trains a UNet2DConditionModel together with a T5EncoderModel, both from scratch, to denoise the cached latents of
/// captioned pictures (Rombach et al. 2022, eq. 3; v-prediction: Salimans & Ho 2022). Padding is attended to, as
/// diffusers' StableDiffusionPipeline does.
class TextToImageTask : public Task {
 public:
  TextToImageTask(const Recipe& recipe, const RunFolder& run, torch::Device device, const OnEncoded& on_encoded);

  NamedTensors parameters() override;
  void init_from(const std::filesystem::path& folder) override;
  torch::Tensor loss(std::int64_t step) override;
  /// {"held_out_loss": the loss of held-out pictures, with the same noise and timesteps every time}.
  Json evaluate() override;
  /// The pack's probe prompts, each from its own seed.
  torch::Tensor sample_grid() override;

 private:
  struct Batch {
    torch::Tensor latents;  // [N, C, h, w] float32
    torch::Tensor ids;      // int64 [N, L]
  };
  Batch batch(const torch::Tensor& indices) const;
  void drop_captions(Batch& batch, at::Generator& generator) const;
  torch::Tensor denoising_loss(const Batch& batch, double shift, at::Generator& generator);

  Recipe recipe_;
  torch::Device device_;
  Pack pack_;
  Schedule schedule_;
  ForwardProcess process_;
  UNet2DConditionModel unet_;
  T5EncoderModel text_encoder_;
  ShuffledOrder order_;
  LatentCache cache_;  // last: it writes into the run's folder, when everything else is known to be good
};

}  // namespace sfumato
