#pragma once

#include "data/image_set.h"
#include "models/unet_2d_model.h"
#include "training/recipe.h"

namespace sfumato {

/// The images.
struct ImageSetRecipe {
  /// Of image_set_formats().
  std::string format, path;
  std::int64_t image_size = 32;
  /// How images of another size are made to fit; of image_fits().
  std::string resize = "center_crop";
  /// Images held out of a format without a split of its own.
  std::int64_t held_out = 0;
  /// Mirrors each image with probability 1/2.
  bool horizontal_flip = true;
  /// The share of labels replaced by one more class, which stands for none (Ho & Salimans 2022).
  double class_dropout = 0;
};

/// Bits per dimension of held-out images in the log.
struct BitsRecipe {
  /// After how many steps; 0 for never.
  std::int64_t every = 0;
  std::int64_t images = 64;
  /// At how many of the schedule's timesteps the bound is evaluated; 0 for all (bound_timesteps).
  std::int64_t timesteps = 0;
};

/// The sample grids.
struct UnconditionalSampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 50;
  double eta = 0;  ///< DDIM's
};

/// kind unconditional: a UNet2DModel on images or, with a first stage, on their latents.
struct UnconditionalRecipe : Recipe {
  ImageSetRecipe data;
  /// The folder of a trained AutoencoderKL; "" trains on pixels.
  std::string vae;
  /// Configs of UNet2DModel and of a DDPMScheduler or DDIMScheduler.
  Json unet = Json::object(), scheduler = Json::object();
  /// lambda of L_hybrid = L_simple + lambda L_vlb (Nichol & Dhariwal 2021, eq. 16); 0 trains on L_simple.
  double vlb_weight = 0;
  UnconditionalSampleRecipe sample;
  BitsRecipe bits_per_dimension;
};

/// Reads the kind's recipe. Throws std::invalid_argument that names the key.
UnconditionalRecipe parse_unconditional_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument where network, scheduler and loss do not fit one another, or a config has an unknown
/// key. Reads no file.
void check_unconditional_recipe(const UnconditionalRecipe& recipe);

/// Throws std::invalid_argument where a network's sample_size is given and is not `size`, `what`.
void expect_sample_size(const UNet2DModelConfig& unet, std::int64_t size, const std::string& what);

}  // namespace sfumato
