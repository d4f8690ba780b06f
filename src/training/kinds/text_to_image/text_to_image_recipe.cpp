#include "training/kinds/text_to_image/text_to_image_recipe.h"

#include "diffusion/schedule_config.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

OversamplingRecipe parse_oversampling(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"words", "repeats"}, where);
  OversamplingRecipe oversampling;
  oversampling.words = value_or(json, "words", oversampling.words);
  oversampling.repeats = value_or(json, "repeats", oversampling.repeats);
  expect(oversampling.repeats >= 1 && oversampling.repeats <= 1000, where, "'repeats' must be 1 to 1000", json);
  return oversampling;
}

CaptionedDataRecipe parse_captioned_data(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"pack", "folder", "image_size", "caption_dropout", "oversampling"}, where);
  CaptionedDataRecipe data;
  read_pack_recipe(json, where, data);
  data.caption_dropout = value_or(json, "caption_dropout", data.caption_dropout);
  data.oversampling = parse_oversampling(object_at(json, "oversampling"), where + ": oversampling");
  expect(data.caption_dropout >= 0 && data.caption_dropout <= 1, where, "'caption_dropout' must be 0 to 1", json);
  return data;
}

TextToImageLossRecipe parse_text_to_image_loss(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"min_snr_gamma", "timestep_shift"}, where);
  TextToImageLossRecipe loss;
  loss.min_snr_gamma = value_or(json, "min_snr_gamma", loss.min_snr_gamma);
  loss.timestep_shift = value_or(json, "timestep_shift", loss.timestep_shift);
  expect(loss.timestep_shift > 0, where, "'timestep_shift' must be positive", json);
  expect_within(loss.min_snr_gamma, 0, kNoLimit, where, "min_snr_gamma");
  return loss;
}

TextToImageSampleRecipe parse_text_to_image_sample(const Json& json, const std::string& where) {
  refuse_unknown_keys(json, {"count", "steps", "guidance_scale"}, where);
  TextToImageSampleRecipe sample;
  sample.count = value_or(json, "count", sample.count);
  sample.steps = value_or(json, "steps", sample.steps);
  sample.guidance_scale = value_or(json, "guidance_scale", sample.guidance_scale);
  expect(sample.count > 0 && sample.steps > 0, where, "'count' and 'steps' must be positive", json);
  return sample;
}

void check_text_width(const UNet2DConditionModelConfig& unet, std::int64_t d_model) {
  for (const auto width : unet.encoder_hid_dim > 0 ? OneOrMany{unet.encoder_hid_dim} : unet.cross_attention_dim)
    if (width != d_model)
      refuse_misfit("unet: the text's width", width, "the text encoder's 'd_model', " + std::to_string(d_model));
}

}  // namespace

TextToImageRecipe parse_text_to_image_recipe(const Json& json, const std::string& where) {
  TextToImageRecipe recipe;
  read_common_recipe(json, where, recipe);
  recipe.data = parse_captioned_data(object_at(json, "data"), where + ": data");
  const auto vae = object_at(json, "vae");
  expect(vae.is_string(), where, "'vae' must be the folder of a trained AutoencoderKL", vae);
  recipe.vae = vae.get<std::string>();
  recipe.unet = config_at(json, "unet", where);
  recipe.text_encoder = config_at(json, "text_encoder", where);
  recipe.scheduler = config_at(json, "scheduler", where);
  recipe.tokenizer = value_or(json, "tokenizer", recipe.tokenizer);
  recipe.loss = parse_text_to_image_loss(object_at(json, "loss"), where + ": loss");
  recipe.sample = parse_text_to_image_sample(object_at(json, "sample"), where + ": sample");
  return recipe;
}

void check_text_to_image_recipe(const TextToImageRecipe& recipe) {
  require_size(recipe.unet, "block_out_channels", "unet");
  require_size(recipe.text_encoder, "d_model", "text_encoder");
  const auto unet = UNet2DConditionModelConfig::from_json(recipe.unet);
  refuse_other_keys(recipe.unet, unet.to_json(),
                    {"attention_type", "dual_cross_attention", "num_attention_heads",
                     "reverse_transformer_layers_per_block", "time_embedding_type"},
                    "unet");
  const auto text = T5EncoderModelConfig::from_json(recipe.text_encoder);
  refuse_other_keys(recipe.text_encoder, text.to_json(), {}, "text_encoder");
  require_supported(recipe.text_encoder, "dropout_rate", {0}, "text_encoder");  // T5EncoderModel has no dropout
  check_scheduler(recipe.scheduler, recipe.sample.steps);
  check_text_width(unet, text.d_model);
  if (unet.in_channels != unet.out_channels)
    refuse_misfit("unet: 'out_channels'", unet.out_channels, "'in_channels', " + std::to_string(unet.in_channels));
}

}  // namespace sfumato
