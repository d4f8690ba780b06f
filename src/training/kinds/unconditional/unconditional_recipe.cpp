#include "training/kinds/unconditional/unconditional_recipe.h"

#include <algorithm>
#include <stdexcept>

#include "data/image_fit.h"
#include "diffusion/bits_per_dimension.h"
#include "diffusion/schedule_config.h"
#include "models/unet_2d_model.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

void expect_one_of(const std::vector<std::string>& known, const std::string& value, const std::string& where,
                   const std::string& key) {
  if (std::find(known.begin(), known.end(), value) != known.end()) return;
  std::string expected;
  for (const auto& name : known) expected += (expected.empty() ? "" : ", ") + name;
  throw std::invalid_argument(where + ": '" + key + "' is '" + value + "', expected one of " + expected);
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const auto& format : image_set_formats()) names.push_back(format.name);
  return names;
}

ImageSetRecipe parse_image_set(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"format", "path", "image_size", "resize", "held_out", "horizontal_flip", "class_dropout"},
                      where);
  ImageSetRecipe data;
  data.format = value_or(json, "format", data.format);
  expect_one_of(format_names(), data.format, where, "format");
  data.path = value_or(json, "path", data.path);
  expect(!data.path.empty(), where, "'path' must name the images", json);
  data.image_size = value_or(json, "image_size", data.image_size);
  expect_within(static_cast<double>(data.image_size), 1, kNoLimit, where, "image_size");
  data.resize = value_or(json, "resize", data.resize);
  expect_one_of(image_fits(), data.resize, where, "resize");
  data.held_out = value_or(json, "held_out", data.held_out);
  expect_within(static_cast<double>(data.held_out), 0, kNoLimit, where, "held_out");
  if (find_image_set_format(data.format).has_split && data.held_out > 0)
    throw std::invalid_argument(where + ": 'held_out' is " + std::to_string(data.held_out) + ", expected 0: format " +
                                data.format + " has a split of its own");
  data.horizontal_flip = value_or(json, "horizontal_flip", data.horizontal_flip);
  data.class_dropout = value_or(json, "class_dropout", data.class_dropout);
  expect_within(data.class_dropout, 0, 1, where, "class_dropout");
  return data;
}

UnconditionalSampleRecipe parse_unconditional_sample(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"count", "steps", "eta"}, where);
  UnconditionalSampleRecipe sample;
  sample.count = value_or(json, "count", sample.count);
  sample.steps = value_or(json, "steps", sample.steps);
  sample.eta = value_or(json, "eta", sample.eta);
  expect(sample.count > 0 && sample.steps > 0, where, "'count' and 'steps' must be positive", json);
  expect_within(sample.eta, 0, 1, where, "eta");
  return sample;
}

BitsRecipe parse_bits(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"every", "images", "timesteps"}, where);
  BitsRecipe bits;
  bits.every = value_or(json, "every", bits.every);
  bits.images = value_or(json, "images", bits.images);
  bits.timesteps = value_or(json, "timesteps", bits.timesteps);
  expect_within(static_cast<double>(bits.every), 0, kNoLimit, where, "every");
  expect_within(static_cast<double>(bits.images), 1, kNoLimit, where, "images");
  expect_within(static_cast<double>(bits.timesteps), 0, kNoLimit, where, "timesteps");
  return bits;
}

double parse_vlb_weight(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"vlb_weight"}, where);
  const auto weight = value_or(json, "vlb_weight", 0.0);
  expect_within(weight, 0, kNoLimit, where, "vlb_weight");
  return weight;
}

void check_process(const UnconditionalRecipe& recipe, const ScheduleConfig& config) {
  if (config.class_name != "DDPMScheduler" && config.class_name != "DDIMScheduler")
    throw std::invalid_argument("scheduler: '_class_name' is '" + config.class_name +
                                "'; expected DDPMScheduler or DDIMScheduler");
  if (recipe.sample.eta > 0 && config.class_name != "DDIMScheduler")
    throw std::invalid_argument("sample: 'eta' is of DDIMScheduler; the scheduler is a " + config.class_name);
  if (!recipe.vae.empty() && config.clip_sample)
    throw std::invalid_argument("scheduler: 'clip_sample' is true; expected false in latents, which exceed its range");
  if (config.rescale_betas_zero_snr && config.prediction_type == "epsilon")
    throw std::invalid_argument(
        "scheduler: 'prediction_type' is epsilon; expected another with 'rescale_betas_zero_snr'");
}

void check_variance(const UnconditionalRecipe& recipe, const ScheduleConfig& config, const UNet2DModelConfig& unet) {
  const bool learned = config.variance_type == "learned_range";
  if (config.variance_type == "learned")
    throw std::invalid_argument("scheduler: 'variance_type' is learned; expected learned_range or a fixed one");
  if (unet.out_channels != (learned ? 2 : 1) * unet.in_channels)
    refuse_misfit("unet: 'out_channels'", unet.out_channels,
                  learned ? "twice the 'in_channels', with a learned variance"
                          : "'in_channels', " + std::to_string(unet.in_channels));
  if (learned != (recipe.vlb_weight > 0))
    throw std::invalid_argument(learned
                                    ? "loss: 'vlb_weight' is 0; expected more, such as 0.001, with a learned variance"
                                    : "loss: 'vlb_weight' trains a learned variance; the scheduler's 'variance_type' "
                                      "is " +
                                          config.variance_type + ", expected learned_range");
}

void check_classes(const UnconditionalRecipe& recipe, const UNet2DModelConfig& unet) {
  if (!unet.class_embed_type.empty())
    throw std::invalid_argument("unet: 'class_embed_type' is '" + unet.class_embed_type +
                                "'; expected null: classes are learnt as a table ('num_class_embeds')");
  if (unet.num_class_embeds == 0 && recipe.data.class_dropout > 0)
    throw std::invalid_argument("data: 'class_dropout' needs a network with 'num_class_embeds'");
}

void check_pixels(const UnconditionalRecipe& recipe, const UNet2DModelConfig& unet) {
  if (!recipe.vae.empty()) {
    if (recipe.bits_per_dimension.every > 0)
      throw std::invalid_argument("bits_per_dimension: they are of 8-bit pixels; expected no 'every' in latents");
    return;
  }
  if (unet.in_channels != 1 && unet.in_channels != 3)
    refuse_misfit("unet: 'in_channels'", unet.in_channels, "1 (grey) or 3 (RGB) in pixels");
  expect_sample_size(unet, recipe.data.image_size, "the side of the images");
  const auto factor = std::int64_t{1} << (unet.block_out_channels.size() - 1);
  if (recipe.data.image_size % factor != 0)
    refuse_misfit("data: 'image_size'", recipe.data.image_size,
                  "a multiple of " + std::to_string(factor) + ", the network's factor");
}

}  // namespace

void expect_sample_size(const UNet2DModelConfig& unet, std::int64_t size, const std::string& what) {
  for (const auto side : unet.sample_size)
    if (side != size) refuse_misfit("unet: 'sample_size'", side, std::to_string(size) + ", " + what);
}

UnconditionalRecipe parse_unconditional_recipe(const Json& json, const std::string& where) {
  UnconditionalRecipe recipe;
  read_common_recipe(json, where, recipe);
  recipe.data = parse_image_set(object_at(json, "data"), where + ": data");
  recipe.vae = value_or(json, "vae", recipe.vae);
  recipe.unet = object_at(json, "unet");
  recipe.scheduler = object_at(json, "scheduler");
  expect(recipe.unet.is_object(), where, "'unet' must be a config", recipe.unet);
  expect(recipe.scheduler.is_object(), where, "'scheduler' must be a config", recipe.scheduler);
  recipe.vlb_weight = parse_vlb_weight(object_at(json, "loss"), where + ": loss");
  recipe.sample = parse_unconditional_sample(object_at(json, "sample"), where + ": sample");
  recipe.bits_per_dimension = parse_bits(object_at(json, "bits_per_dimension"), where + ": bits_per_dimension");
  const auto every = recipe.bits_per_dimension.every;
  if (every % recipe.sample_every != 0)
    throw std::invalid_argument(where + ": bits_per_dimension: 'every' is " + std::to_string(every) +
                                ", expected a multiple of 'sample_every', " + std::to_string(recipe.sample_every));
  return recipe;
}

void check_unconditional_recipe(const UnconditionalRecipe& recipe) {
  require_size(recipe.unet, "block_out_channels", "unet");
  const auto unet = UNet2DModelConfig::from_json(recipe.unet);
  refuse_other_keys(recipe.unet, unet.to_json(), {"time_embedding_type"}, "unet");
  check_scheduler(recipe.scheduler, recipe.sample.steps);
  const auto config = ScheduleConfig::from_json(recipe.scheduler);
  check_process(recipe, config);
  check_variance(recipe, config, unet);
  check_classes(recipe, unet);
  check_pixels(recipe, unet);
  bound_timesteps(config.num_train_timesteps, recipe.bits_per_dimension.timesteps);
}

}  // namespace sfumato
