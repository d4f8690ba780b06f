#pragma once

#include "diffusion/process.h"
#include "diffusion/schedule.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/kinds/text_to_image/text_to_image_recipe.h"
#include "training/objective.h"

namespace sfumato {

/// Denoises latents by a UNet2DConditionModel that is trained together with its T5EncoderModel (Rombach et al. 2022,
/// eq. 3; v-prediction: Salimans & Ho 2022). Padding is attended to, as in diffusers' StableDiffusionPipeline.
/// Batch: "latents" and "noise" float32 [N, C, h, w], "ids" int64 [N, L], "t" int64 [N].
class TextToImageObjective : public Objective {
 public:
  /// Allocates the weights without filling or placing them.
  TextToImageObjective(const TextToImageRecipe& recipe, torch::Device device);
  /// Moves the networks to the device, ready for training.
  void place();

  TrainableSet tensors() override;
  torch::Tensor loss(const Batch& batch) override;

  Schedule schedule;
  UNet2DConditionModel unet;
  T5EncoderModel text_encoder;

 private:
  ForwardProcess process_;
  double min_snr_gamma_;
  torch::Device device_;
  bool bfloat16_;
};

}  // namespace sfumato
