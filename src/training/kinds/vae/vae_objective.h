#pragma once

#include "models/autoencoder_kl.h"
#include "training/kinds/vae/vae_recipe.h"
#include "training/objective.h"

namespace sfumato {

/// Reconstructs images by an AutoencoderKL: mean square (and absolute) error of pixels plus a small KL divergence
/// (Kingma & Welling 2014; Rombach et al. 2022, appendix G, without the adversarial part).
/// Batch: "images" float32 [N, 3, H, W] in [-1, 1], "noise" float32 [N, latent_channels, H/f, W/f].
class VaeObjective : public Objective {
 public:
  /// Allocates the weights without filling or placing them.
  VaeObjective(const VaeRecipe& recipe, torch::Device device);
  /// Moves the networks to the device, ready for training.
  void place();

  TrainableSet tensors() override;
  torch::Tensor loss(const Batch& batch) override;

  AutoencoderKL vae;

 private:
  VaeLossRecipe weights_;
  bool freeze_encoder_;
  torch::Device device_;
  bool bfloat16_;
};

}  // namespace sfumato
