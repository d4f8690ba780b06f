#include "training/kinds/text_to_image/text_to_image_export.h"

#include "core/files.h"
#include "diffusion/schedule_config.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/export_tokenizer.h"
#include "training/loading/latent_cache.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

void export_text_encoder(const Checkpoint& checkpoint, const TextToImageRecipe& recipe, const fs::path& folder,
                         SaveOptions options) {
  options.basename = "model";
  save_weights(checkpoint.part("ema.text_encoder."), folder, options);
  nlohmann::ordered_json config = T5EncoderModelConfig::from_json(recipe.text_encoder).to_json();
  // transformers loads in the config's dtype and diffusers in float32: with this both load in float32.
  config["dtype"] = "float32";
  config["is_encoder_decoder"] = false;
  config["use_cache"] = false;
  write_json(folder / "config.json", config);
}

nlohmann::ordered_json model_index() {
  const auto none = nlohmann::ordered_json::array({nullptr, nullptr});
  return {{"_class_name", "StableDiffusionPipeline"},
          {"_diffusers_version", "0.42.1"},
          {"feature_extractor", none},
          {"image_encoder", none},
          {"requires_safety_checker", false},
          {"safety_checker", none},
          {"scheduler", {"diffusers", "DDIMScheduler"}},
          {"text_encoder", {"transformers", "T5EncoderModel"}},
          {"tokenizer", {"transformers", "T5Tokenizer"}},
          {"unet", {"diffusers", "UNet2DConditionModel"}},
          {"vae", {"diffusers", "AutoencoderKL"}}};
}

}  // namespace

void export_text_to_image(const RunFolder& run, const Checkpoint& checkpoint, const TextToImageRecipe& recipe,
                          const fs::path& folder, const SaveOptions& options) {
  export_tokenizer(recipe.tokenizer, folder / "tokenizer", {"spiece.model", "tokenizer_config.json"});
  export_first_stage(run, folder / "vae", options);
  export_text_encoder(checkpoint, recipe, folder / "text_encoder", options);
  save_weights(checkpoint.part("ema.unet."), folder / "unet", options);
  write_json(folder / "unet" / "config.json", UNet2DConditionModelConfig::from_json(recipe.unet).to_json());
  const auto things = run.path() / "things.json";
  if (fs::exists(things)) copy_whole_file(things, folder / "things.json");
  auto schedule = ScheduleConfig::from_json(recipe.scheduler);
  schedule.class_name = "DDIMScheduler";
  write_json(folder / "scheduler" / "scheduler_config.json", schedule.to_json());
  write_json(folder / "model_index.json", model_index());  // last: it marks the folder as a pipeline
}

}  // namespace sfumato
