#pragma once

#include <vector>

#include "training/recipe.h"

namespace sfumato {

/// Images that are seen more often than others.
struct EmphasisRecipe {
  /// In lower case.
  std::vector<std::string> words;
  /// How many times an epoch an image is seen whose caption has one of the words.
  std::int64_t repeats = 1;
};

/// The pack and how its captions are used.
struct CaptionedDataRecipe : PackRecipe {
  /// The share of captions replaced by the empty one, for classifier-free guidance.
  double caption_dropout = 0.1;
  EmphasisRecipe emphasis;
};

struct TextToImageLossRecipe {
  /// Min-SNR weighting (Hang et al. 2023); 0 weighs all levels alike.
  double min_snr_gamma = 0.0;
  /// Timesteps u of [0, 1) become shift u / (1 + (shift - 1) u) (Esser et al. 2024, eq. 23): above 1, more of them are
  /// noisy ones, where small latents get their shapes.
  double timestep_shift = 1.0;
};

/// The sample grids.
struct TextToImageSampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 20;
  double guidance_scale = 4.0;
};

/// kind text_to_image: a UNet2DConditionModel with its T5EncoderModel on the latents of captioned images.
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

/// Throws std::invalid_argument where networks, scheduler and grids do not fit one another, or a config has an unknown
/// key. Reads no file: the folder of the trained autoencoder is read when its latents are made.
void check_text_to_image_recipe(const TextToImageRecipe& recipe);

}  // namespace sfumato
