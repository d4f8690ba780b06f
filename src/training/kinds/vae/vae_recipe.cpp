#include "training/kinds/vae/vae_recipe.h"

#include "models/autoencoder_kl.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

void read_vae_data(const Json& json, const std::string& where, VaeRecipe& recipe) {
  refuse_unknown_keys(json, {"pack", "image_size", "crop_size"}, where);
  read_pack_recipe(json, where, recipe.data);
  recipe.crop_size = value_or(json, "crop_size", recipe.crop_size);
  expect(recipe.crop_size >= 0 && recipe.crop_size <= recipe.data.image_size, where,
         "'crop_size' must be 0 to image_size", json);
}

VaeLossRecipe parse_vae_loss(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"l2_weight", "l1_weight", "kl_weight"}, where);
  VaeLossRecipe loss;
  loss.l2_weight = value_or(json, "l2_weight", loss.l2_weight);
  loss.l1_weight = value_or(json, "l1_weight", loss.l1_weight);
  loss.kl_weight = value_or(json, "kl_weight", loss.kl_weight);
  expect_within(loss.l2_weight, 0, kNoLimit, where, "l2_weight");
  expect_within(loss.l1_weight, 0, kNoLimit, where, "l1_weight");
  expect_within(loss.kl_weight, 0, kNoLimit, where, "kl_weight");
  return loss;
}

}  // namespace

VaeRecipe parse_vae_recipe(const Json& json, const std::string& where) {
  VaeRecipe recipe;
  read_common_recipe(json, where, recipe);
  read_vae_data(object_at(json, "data"), where + ": data", recipe);
  recipe.vae = object_at(json, "vae");
  expect(recipe.vae.is_object(), where, "'vae' must be the AutoencoderKL's config", recipe.vae);
  recipe.freeze_encoder = value_or(json, "freeze_encoder", recipe.freeze_encoder);
  recipe.loss = parse_vae_loss(object_at(json, "loss"), where + ": loss");
  recipe.sample_count = read_sample_count(object_at(json, "sample"), where + ": sample");
  return recipe;
}

void check_vae_recipe(const VaeRecipe& recipe) {
  require_size(recipe.vae, "block_out_channels", "vae");
  const auto config = AutoencoderKLConfig::from_json(recipe.vae);
  refuse_other_keys(recipe.vae, config.to_json(), {}, "vae");
  const auto factor = config.downscale_factor();
  const auto crops = recipe.crop_size > 0;
  const auto size = crops ? recipe.crop_size : recipe.data.image_size;
  if (size % factor != 0)
    refuse_misfit(crops ? "data: 'crop_size'" : "data: 'image_size'", size,
                  "a multiple of " + std::to_string(factor) + ", the autoencoder's factor");
}

}  // namespace sfumato
