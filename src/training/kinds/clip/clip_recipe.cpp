#include "training/kinds/clip/clip_recipe.h"

#include <stdexcept>

#include "diffusion/schedule_config.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

/// Refuses keys that CLIPModel and its towers lack.
void check_clip_keys(const CLIPRecipe& recipe, const CLIPModelConfig& config) {
  const Json written = config.to_json();
  const std::vector<std::string> usual = {"architectures", "model_type", "dtype"};
  refuse_other_keys(recipe.clip, written, {}, "clip");
  for (const auto* tower : {"text_config", "vision_config"})
    refuse_other_keys(recipe.clip.at(tower), written.at(tower), usual, std::string("clip: ") + tower);
}

void check_clip_noise(const CLIPRecipe& recipe) {
  if (!recipe.vae.empty() && !recipe.noised)
    throw std::invalid_argument(
        "vae is given and 'noised' is false; expected a noised model of latents: one without noise guides by pixels");
  if (!recipe.noised && !recipe.scheduler.empty())
    throw std::invalid_argument("scheduler is given and 'noised' is false; expected both or neither");
  if (!recipe.noised) return;
  check_scheduler(recipe.scheduler, 1);
  const auto schedule = ScheduleConfig::from_json(recipe.scheduler);
  if (schedule.process != "betas")
    throw std::invalid_argument("scheduler: '_class_name' is '" + schedule.class_name +
                                "'; expected a scheduler with betas, such as DDPMScheduler");
}

void check_clip_images(const CLIPRecipe& recipe, const CLIPVisionModelConfig& vision) {
  if (vision.image_size % vision.patch_size != 0)
    refuse_misfit("clip: vision_config: 'patch_size'", vision.patch_size,
                  "a divisor of image_size, " + std::to_string(vision.image_size));
  if (!recipe.vae.empty()) return;  // the latents' shape is checked when they exist
  if (vision.num_channels != 3)
    refuse_misfit("clip: vision_config: 'num_channels'", vision.num_channels, "3 in pixels");
  if (vision.image_size != recipe.data.image_size)
    refuse_misfit("clip: vision_config: 'image_size'", vision.image_size,
                  std::to_string(recipe.data.image_size) + ", the side of the images");
}

}  // namespace

CLIPModelConfig CLIPRecipe::config() const {
  auto config = CLIPModelConfig::from_json(clip);
  config.vision_config.time_embedding = noised;
  return config;
}

CLIPRecipe parse_clip_recipe(const Json& json, const std::string& where) {
  CLIPRecipe recipe;
  read_common_recipe(json, where, recipe);
  const auto data = object_at(json, "data");
  refuse_unknown_keys(data, {"pack", "folder", "image_size"}, where + ": data");
  read_pack_recipe(data, where + ": data", recipe.data);
  recipe.vae = value_or(json, "vae", recipe.vae);
  recipe.tokenizer = value_or(json, "tokenizer", recipe.tokenizer);
  recipe.clip = config_at(json, "clip", where);
  recipe.noised = value_or(json, "noised", recipe.noised);
  recipe.scheduler = config_at(json, "scheduler", where);
  recipe.sample_count = read_sample_count(object_at(json, "sample"), where + ": sample");
  return recipe;
}

void check_clip_recipe(const CLIPRecipe& recipe) {
  for (const auto* tower : {"text_config", "vision_config"})
    require_size(config_at(recipe.clip, tower, "clip"), "hidden_size", std::string("clip: ") + tower);
  const auto config = recipe.config();
  check_clip_keys(recipe, config);
  if (recipe.clip.at("vision_config").value("time_embedding", recipe.noised) != recipe.noised)
    throw std::invalid_argument("clip: vision_config: 'time_embedding': expected the recipe's key 'noised' instead");
  if (recipe.batch_size < 2)
    refuse_misfit("batch_size", recipe.batch_size, "at least 2: the loss contrasts the rows of a batch");
  check_clip_noise(recipe);
  check_clip_images(recipe, config.vision_config);
}

}  // namespace sfumato
