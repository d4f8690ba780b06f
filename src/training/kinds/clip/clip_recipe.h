#pragma once

#include <cstdint>
#include <string>

#include "models/clip_model.h"
#include "training/recipe.h"

namespace sfumato {

/// Recipe of kind clip: a CLIPModel on the captioned images of a pack, or on their latents.
struct CLIPRecipe : Recipe {
  PackRecipe data;
  /// Folder of a trained AutoencoderKL; "" trains on pixels.
  std::string vae;
  /// Folder of the tokenizer that the pack was made with.
  std::string tokenizer;
  /// Config of the CLIPModel.
  Json clip = Json::object();
  /// True to train on x_t, with the timestep as an input (Nichol et al. 2021, section 2.3).
  bool noised = false;
  /// Config of the scheduler that noises; empty without `noised`.
  Json scheduler = Json::object();
  /// Number of images in a sample grid.
  std::int64_t sample_count = 16;

  /// Returns the model's config; `noised` gives it a time embedding.
  CLIPModelConfig config() const;
};

/// Reads the kind's recipe. Throws std::invalid_argument that names the key.
CLIPRecipe parse_clip_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument if model, scheduler and images do not fit one another, or a config has an unknown key.
/// Reads no file.
void check_clip_recipe(const CLIPRecipe& recipe);

}  // namespace sfumato
