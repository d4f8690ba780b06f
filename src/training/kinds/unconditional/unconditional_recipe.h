#pragma once

#include "data/image_set.h"
#include "models/unet_2d_model.h"
#include "training/recipe.h"

namespace sfumato {

/// Training images.
struct ImageSetRecipe {
  /// `format` is one of image_set_formats().
  std::string format, path;
  std::int64_t image_size = 32;
  /// Way of fitting images of another size, one of image_fits().
  std::string resize = "center_crop";
  /// Number of images held out of a format without its own split.
  std::int64_t held_out = 0;
  /// Mirrors each image with probability 1/2.
  bool horizontal_flip = true;
  /// Share of labels replaced by an additional class that means "no class" (Ho & Salimans 2022).
  double class_dropout = 0;
};

/// Bits per dimension of held-out images in the log.
struct BitsRecipe {
  /// Interval in steps; 0 for never.
  std::int64_t every = 0;
  std::int64_t images = 64;
  /// Number of the schedule's timesteps at which the bound is evaluated; 0 for all (bound_timesteps).
  std::int64_t timesteps = 0;
};

/// Settings of the sample grids.
struct UnconditionalSampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 50;
  double eta = 0;  ///< DDIM's
};

/// Recipe of kind unconditional: a UNet2DModel on images or, with a first stage, on their latents.
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

/// Throws std::invalid_argument if network, scheduler and loss do not fit one another, or a config has an unknown
/// key. Reads no file.
void check_unconditional_recipe(const UnconditionalRecipe& recipe);

/// Throws std::invalid_argument if a network's sample_size is set and differs from `size`, which `what` describes.
void expect_sample_size(const UNet2DModelConfig& unet, std::int64_t size, const std::string& what);

}  // namespace sfumato
