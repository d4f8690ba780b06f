#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "training/recipe.h"

namespace sfumato {

/// Random flaws of the images that an upsampler enlarges in training (low_resolution.h).
struct LowResAugmentation {
  /// Share of images that are blurred, and the range of the blur's standard deviation in pixels.
  double blur_probability = 0;
  std::array<double, 2> blur_sigma = {0.4, 0.6};
  /// Largest standard deviation of added noise, with pixels in [-1, 1] or latents of unit standard deviation; each
  /// image has its own.
  double noise = 0;
};

/// The pack and how its captions are used.
struct GLIDEDataRecipe : PackRecipe {
  /// The share of captions replaced by the empty one, for classifier-free guidance (Nichol et al. 2021, section 2.2).
  double caption_dropout = 0.2;
  LowResAugmentation low_res;  ///< of an upsampler
};

/// The sample grids.
struct GLIDESampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 50;
  double guidance_scale = 3.0;
};

/// kinds glide and glide_upsampler: a UNet2DConditionModel that attends to text and image at once, with the text
/// transformer that is trained with it, on captioned images or on their latents.
struct GLIDERecipe : Recipe {
  GLIDEDataRecipe data;
  /// The folder of a trained AutoencoderKL; "" trains on pixels. An upsampler has that of its base model.
  std::string vae;
  /// The folder of the tokenizer that the pack was made with.
  std::string tokenizer;
  /// Configs of UNet2DConditionModel, GLIDETextModel and a DDPMScheduler.
  Json unet = Json::object(), text_encoder = Json::object(), scheduler = Json::object();
  /// lambda of L_hybrid = L_simple + lambda L_vlb.
  double vlb_weight = 0.001;
  GLIDESampleRecipe sample;
  /// True to train with a masked image and its mask as further input channels.
  bool inpaint = false;
  /// Of an upsampler: the side of the images that it enlarges, 0 for a base model, and the exported folder of the base
  /// model that goes with it.
  std::int64_t low_res_size = 0;
  std::string base;

  bool is_upsampler() const { return kind == "glide_upsampler"; }
};

/// Reads a recipe of either kind. Throws std::invalid_argument that names the key.
GLIDERecipe parse_glide_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument where networks, scheduler and images do not fit one another, or a config has an unknown
/// key. Reads no file.
void check_glide_recipe(const GLIDERecipe& recipe);

}  // namespace sfumato
