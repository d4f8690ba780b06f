#pragma once

#include <vector>

#include "training/recipe.h"

namespace sfumato {

/// Oversampling of images by the words of their captions.
struct OversamplingRecipe {
  /// Words in lower case.
  std::vector<std::string> words;
  /// Number of times an epoch that an image with one of the words in its caption is seen.
  std::int64_t repeats = 1;
};

/// The pack and the use of its captions.
struct CaptionedDataRecipe : PackRecipe {
  /// Share of captions replaced by the empty one, for classifier-free guidance.
  double caption_dropout = 0.1;
  OversamplingRecipe oversampling;
};

struct TextToImageLossRecipe {
  /// Min-SNR weighting (Hang et al. 2023); 0 gives all levels the same weight.
  double min_snr_gamma = 0.0;
  /// Maps timesteps u in [0, 1) to shift u / (1 + (shift - 1) u) (Esser et al. 2024, eq. 23): above 1, more of them are
  /// noisy, where small latents get their shapes.
  double timestep_shift = 1.0;
};

/// Settings of the sample grids.
struct TextToImageSampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 20;
  double guidance_scale = 4.0;
};

/// Recipe of kind text_to_image: a UNet2DConditionModel with its T5EncoderModel on latents of captioned images.
struct TextToImageRecipe : Recipe {
  CaptionedDataRecipe data;
  /// Folders of a trained AutoencoderKL and of the tokenizer.
  std::string vae, tokenizer;
  /// Configs of UNet2DConditionModel, T5EncoderModel and the scheduler.
  Json unet = Json::object(), text_encoder = Json::object(), scheduler = Json::object();
  TextToImageLossRecipe loss;
  TextToImageSampleRecipe sample;
};

/// Reads the kind's recipe. Throws std::invalid_argument that names the key.
TextToImageRecipe parse_text_to_image_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument if networks, scheduler and grids do not fit one another, or a config has an unknown
/// key. Reads no file: the folder of the trained autoencoder is read when its latents are computed.
void check_text_to_image_recipe(const TextToImageRecipe& recipe);

}  // namespace sfumato
