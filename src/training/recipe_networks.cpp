#include "training/recipe_networks.h"

#include <stdexcept>

#include "diffusion/schedule_config.h"
#include "models/autoencoder_kl.h"
#include "models/image_classifier.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"

namespace sfumato {
namespace {

[[noreturn]] void refuse_misfit(const std::string& key, std::int64_t value, const std::string& expected) {
  throw std::invalid_argument(key + " is " + std::to_string(value) + "; expected " + expected);
}

/// The keys of `written`, a config as its class writes it, and those of `others`.
void refuse_other_keys(const Json& config, const Json& written, std::vector<std::string> others,
                       const std::string& where) {
  for (const auto& [key, value] : written.items()) others.push_back(key);
  for (const auto& [key, value] : config.items())
    if (key.starts_with("_")) others.push_back(key);  // _class_name, _diffusers_version, _name_or_path
  refuse_unknown_keys(config, others, where);
}

void check_vae(const Recipe& recipe) {
  const auto config = AutoencoderKLConfig::from_json(recipe.vae);
  refuse_other_keys(recipe.vae, config.to_json(), {}, "vae");
  const auto factor = std::int64_t{1} << (config.block_out_channels.size() - 1);
  const auto crops = recipe.data.crop_size > 0;
  const auto size = crops ? recipe.data.crop_size : recipe.data.image_size;
  if (size % factor != 0)
    refuse_misfit(crops ? "data: 'crop_size'" : "data: 'image_size'", size,
                  "a multiple of " + std::to_string(factor) + ", the autoencoder's factor");
}

void check_scheduler(const Recipe& recipe) {
  const auto config = ScheduleConfig::from_json(recipe.scheduler);
  refuse_other_keys(recipe.scheduler, config.to_json(), {"set_alpha_to_one", "variance_type"}, "scheduler");
  if (recipe.sample.steps > config.num_train_timesteps)
    refuse_misfit("sample: 'steps'", recipe.sample.steps,
                  "at most the scheduler's " + std::to_string(config.num_train_timesteps) + " timesteps");
}

void check_text_to_image(const Recipe& recipe) {
  const auto unet = UNet2DConditionModelConfig::from_json(recipe.unet);
  refuse_other_keys(recipe.unet, unet.to_json(),
                    {"attention_type", "dual_cross_attention", "num_attention_heads",
                     "reverse_transformer_layers_per_block", "time_embedding_type"},
                    "unet");
  const auto text = T5EncoderModelConfig::from_json(recipe.text_encoder);
  refuse_other_keys(recipe.text_encoder, text.to_json(), {}, "text_encoder");
  check_scheduler(recipe);
  for (const auto width : unet.encoder_hid_dim > 0 ? OneOrMany{unet.encoder_hid_dim} : unet.cross_attention_dim)
    if (width != text.d_model)
      refuse_misfit("unet: the text's width", width, "the text encoder's 'd_model', " + std::to_string(text.d_model));
  if (unet.in_channels != unet.out_channels)
    refuse_misfit("unet: 'out_channels'", unet.out_channels, "'in_channels', " + std::to_string(unet.in_channels));
}

}  // namespace

void check_networks(const Recipe& recipe) {
  if (recipe.kind == "vae") {
    check_vae(recipe);
  } else if (recipe.kind == "classifier") {
    refuse_other_keys(recipe.classifier, ImageClassifierConfig::from_json(recipe.classifier).to_json(), {},
                      "classifier");
  } else {
    check_text_to_image(recipe);
  }
}

}  // namespace sfumato
