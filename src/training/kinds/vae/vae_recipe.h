#pragma once

#include "training/recipe.h"

namespace sfumato {

/// Weights of the terms of the loss.
struct VaeLossRecipe {
  /// Mean square and mean absolute error of pixels in [-1, 1], and the KL divergence per latent value.
  double l2_weight = 1.0;
  double l1_weight = 0.0;
  double kl_weight = 1e-4;
};

/// Recipe of kind vae: an AutoencoderKL on the images of a pack.
struct VaeRecipe : Recipe {
  PackRecipe data;
  /// Side in pixels of random square crops; 0 trains on whole images.
  std::int64_t crop_size = 0;
  /// The AutoencoderKL's config.
  Json vae = Json::object();
  /// Trains only the decoder and post_quant_conv, so that latents, and models trained on them, stay valid.
  bool freeze_encoder = false;
  VaeLossRecipe loss;
  /// Number of images in a sample grid.
  std::int64_t sample_count = 16;
};

/// Reads the kind's recipe. Throws std::invalid_argument that names the key.
VaeRecipe parse_vae_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument if images and network do not fit, or the config has an unknown key.
void check_vae_recipe(const VaeRecipe& recipe);

}  // namespace sfumato
