#include "training/kinds/glide/glide_recipe.h"

#include <stdexcept>
#include <vector>

#include "diffusion/schedule_config.h"
#include "models/glide_text_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

/// Keys that only an upsampler has: low_res_blur and low_res_noise.
LowResAugmentation parse_low_res(const Json& json, const std::string& where) {
  LowResAugmentation augmentation;
  if (json.contains("low_res_blur")) {
    const auto blur = object_at(json, "low_res_blur");
    refuse_unknown_keys(blur, {"probability", "sigma"}, where + ": low_res_blur");
    augmentation.blur_probability = value_or(blur, "probability", 0.5);
    augmentation.blur_sigma = value_or(blur, "sigma", augmentation.blur_sigma);
    expect_within(augmentation.blur_probability, 0, 1, where + ": low_res_blur", "probability");
    constexpr double kMostPixels = 8;
    const auto [low, high] = augmentation.blur_sigma;
    expect(low > 0 && low <= high && high <= kMostPixels, where + ": low_res_blur",
           "'sigma' must be two increasing numbers above 0 and up to 8 pixels", blur);
  }
  augmentation.noise = value_or(json, "low_res_noise", augmentation.noise);
  expect_within(augmentation.noise, 0, 1, where, "low_res_noise");
  return augmentation;
}

GLIDEDataRecipe parse_glide_data(const Json& json, const std::string& where, bool is_upsampler) {
  std::vector<std::string> keys = {"pack", "folder", "image_size", "caption_dropout"};
  if (is_upsampler) keys.insert(keys.end(), {"low_res_blur", "low_res_noise"});
  refuse_unknown_keys(json, keys, where);
  GLIDEDataRecipe data;
  read_pack_recipe(json, where, data);
  data.caption_dropout = value_or(json, "caption_dropout", data.caption_dropout);
  expect_within(data.caption_dropout, 0, 1, where, "caption_dropout");
  data.low_res = parse_low_res(json, where);
  return data;
}

GLIDESampleRecipe parse_glide_sample(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"count", "steps", "guidance_scale"}, where);
  GLIDESampleRecipe sample;
  sample.count = value_or(json, "count", sample.count);
  sample.steps = value_or(json, "steps", sample.steps);
  sample.guidance_scale = value_or(json, "guidance_scale", sample.guidance_scale);
  expect(sample.count > 0 && sample.steps > 0, where, "'count' and 'steps' must be positive", json);
  expect_within(sample.guidance_scale, 1, kNoLimit, where, "guidance_scale");
  return sample;
}

double parse_glide_loss(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"vlb_weight"}, where);
  const auto weight = value_or(json, "vlb_weight", GLIDERecipe().vlb_weight);
  expect(weight > 0, where, "'vlb_weight' must be positive: it trains the variance", json);
  return weight;
}

void check_glide_scheduler(const GLIDERecipe& recipe) {
  check_scheduler(recipe.scheduler, recipe.sample.steps);
  const auto config = ScheduleConfig::from_json(recipe.scheduler);
  if (config.class_name != "DDPMScheduler")
    throw std::invalid_argument("scheduler: '_class_name' is '" + config.class_name + "'; expected DDPMScheduler");
  if (config.variance_type != "learned_range")
    throw std::invalid_argument("scheduler: 'variance_type' is " + config.variance_type + "; expected learned_range");
  if (config.prediction_type != "epsilon")
    throw std::invalid_argument("scheduler: 'prediction_type' is " + config.prediction_type + "; expected epsilon");
  if (!recipe.vae.empty() && config.clip_sample)
    throw std::invalid_argument("scheduler: 'clip_sample' is true; expected false in latents, which exceed its range");
}

void check_glide_text(const UNet2DConditionModelConfig& unet, std::int64_t width) {
  if (unet.class_embed_type != "simple_projection")
    throw std::invalid_argument("unet: 'class_embed_type' is '" + unet.class_embed_type +
                                "'; expected simple_projection, which projects the text's last state");
  const auto expected = "the text encoder's 'hidden_size', " + std::to_string(width);
  if (unet.projection_class_embeddings_input_dim != width)
    refuse_misfit("unet: 'projection_class_embeddings_input_dim'", unet.projection_class_embeddings_input_dim,
                  expected);
  if (unet.states_width() != width) refuse_misfit("unet: 'cross_attention_dim'", unet.states_width(), expected);
}

/// x, the image at low resolution, the masked image and its mask.
void check_glide_channels(const GLIDERecipe& recipe, const UNet2DConditionModelConfig& unet) {
  if (unet.out_channels % 2 != 0)
    refuse_misfit("unet: 'out_channels'", unet.out_channels, "eps and variance, an even number");
  const auto x = unet.out_channels / 2;
  if (recipe.vae.empty() && x != 3)
    refuse_misfit("unet: 'out_channels'", unet.out_channels, "6 in pixels: eps and variance");
  const auto in = x * (recipe.is_upsampler() ? 2 : 1) + (recipe.inpaint ? x + 1 : 0);
  if (unet.in_channels != in)
    refuse_misfit("unet: 'in_channels'", unet.in_channels,
                  std::to_string(in) + ": x" + (recipe.inpaint ? ", the masked image, its mask" : "") +
                      (recipe.is_upsampler() ? ", the image at low resolution" : ""));
}

void check_low_res_latents(const GLIDERecipe& recipe) {
  if (!recipe.vae.empty() && recipe.data.low_res.blur_probability > 0)
    throw std::invalid_argument(
        "data: 'low_res_blur' in latents, which are no pixels: expected none; 'low_res_noise' " +
        std::string("works in both"));
}

void check_glide_sizes(const GLIDERecipe& recipe, const UNet2DConditionModelConfig& unet) {
  if (recipe.vae.empty() && unet.sample_size != OneOrMany{recipe.data.image_size})
    throw std::invalid_argument("unet: 'sample_size': expected " + std::to_string(recipe.data.image_size) +
                                ", the side of the images");
  const auto factor = std::int64_t{1} << (unet.block_out_channels.size() - 1);
  if (unet.sample_size.size() != 1 || unet.sample_size.front() % factor != 0)
    throw std::invalid_argument("unet: 'sample_size': expected a multiple of " + std::to_string(factor) +
                                ", the network's factor");
  if (!recipe.is_upsampler()) return;
  if (recipe.low_res_size < 1 || recipe.data.image_size % recipe.low_res_size != 0 ||
      recipe.low_res_size == recipe.data.image_size)
    refuse_misfit("low_res_size", recipe.low_res_size,
                  "a divisor of the images' side, " + std::to_string(recipe.data.image_size) + ", less than it");
}

}  // namespace

GLIDERecipe parse_glide_recipe(const Json& json, const std::string& where) {
  GLIDERecipe recipe;
  read_common_recipe(json, where, recipe);
  recipe.data = parse_glide_data(object_at(json, "data"), where + ": data", recipe.is_upsampler());
  recipe.vae = value_or(json, "vae", recipe.vae);
  recipe.tokenizer = value_or(json, "tokenizer", recipe.tokenizer);
  recipe.unet = config_at(json, "unet", where);
  recipe.text_encoder = config_at(json, "text_encoder", where);
  recipe.scheduler = config_at(json, "scheduler", where);
  recipe.vlb_weight = parse_glide_loss(object_at(json, "loss"), where + ": loss");
  recipe.sample = parse_glide_sample(object_at(json, "sample"), where + ": sample");
  recipe.inpaint = value_or(json, "inpaint", recipe.inpaint);
  recipe.low_res_size = value_or(json, "low_res_size", recipe.low_res_size);
  recipe.base = value_or(json, "base", recipe.base);
  return recipe;
}

void check_glide_recipe(const GLIDERecipe& recipe) {
  require_size(recipe.unet, "block_out_channels", "unet");
  require_size(recipe.text_encoder, "hidden_size", "text_encoder");
  const auto unet = UNet2DConditionModelConfig::from_json(recipe.unet);
  refuse_other_keys(recipe.unet, unet.to_json(),
                    {"attention_type", "dual_cross_attention", "num_attention_heads", "time_embedding_type",
                     "reverse_transformer_layers_per_block", "resnet_skip_time_act", "resnet_out_scale_factor",
                     "cross_attention_norm"},
                    "unet");
  const auto text = GLIDETextModelConfig::from_json(recipe.text_encoder);
  refuse_other_keys(recipe.text_encoder, text.to_json(), {}, "text_encoder");
  check_glide_scheduler(recipe);
  check_glide_text(unet, text.hidden_size);
  check_glide_channels(recipe, unet);
  check_glide_sizes(recipe, unet);
  check_low_res_latents(recipe);
}

}  // namespace sfumato
