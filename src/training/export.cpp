#include "training/export.h"

#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "core/json.h"
#include "data/pack.h"
#include "diffusion/schedule_config.h"
#include "models/autoencoder_kl.h"
#include "models/image_classifier.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/recipe.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

void export_vae(const Checkpoint& checkpoint, const Recipe& recipe, const fs::path& folder,
                const SaveOptions& options) {
  auto config = AutoencoderKLConfig::from_json(recipe.vae);
  config.sample_size = recipe.data.image_size;
  // A frozen encoder's latents, and their scale, are those of the autoencoder that the run began with.
  if (!recipe.freeze_encoder) config.scaling_factor = 1.0 / value_or(checkpoint.metrics, "latent_std", 1.0);
  save_weights(checkpoint.part("ema.vae."), folder, options);
  write_json(folder / "config.json", config.to_json());
}

void export_classifier(const Checkpoint& checkpoint, const Recipe& recipe, const fs::path& folder,
                       SaveOptions options) {
  auto config = ImageClassifierConfig::from_json(recipe.classifier);
  config.image_size = recipe.data.image_size;
  config.labels = Pack(recipe.data.pack).thing_names();
  options.basename = "model";
  save_weights(checkpoint.part("ema.classifier."), folder, options);
  write_json(folder / "config.json", config.to_json());
}

/// The autoencoder that the run's latents come from, in the export's dtype.
void copy_vae(const RunFolder& run, const fs::path& folder, const SaveOptions& options) {
  const SafetensorsFile file(run.path() / "vae" / "diffusion_pytorch_model.safetensors");
  std::map<std::string, torch::Tensor> weights;
  for (const auto& name : file.names()) weights[name] = file.tensor(name);
  save_weights(weights, folder, options);
  write_json(folder / "config.json", read_json(run.path() / "vae" / "config.json"));
}

void export_text_encoder(const Checkpoint& checkpoint, const Recipe& recipe, const fs::path& folder,
                         SaveOptions options) {
  options.basename = "model";
  save_weights(checkpoint.part("ema.text_encoder."), folder, options);
  nlohmann::ordered_json config = T5EncoderModelConfig::from_json(recipe.text_encoder).to_json();
  // transformers loads in the dtype that the config names and diffusers in float32: with this both do the latter.
  config["dtype"] = "float32";
  config["is_encoder_decoder"] = false;
  config["use_cache"] = false;
  write_json(folder / "config.json", config);
}

void copy_tokenizer(const fs::path& from, const fs::path& folder) {
  for (const auto* name : {"spiece.model", "tokenizer_config.json"}) {
    if (!fs::is_regular_file(from / name)) {
      throw std::runtime_error("the recipe's tokenizer '" + from.string() + "' has no file " + name);
    }
  }
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(from)) {
    const auto extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".model" && extension != ".json")) continue;
    fs::copy_file(entry.path(), folder / entry.path().filename(), fs::copy_options::overwrite_existing);
  }
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

void export_pipeline(const RunFolder& run, const Checkpoint& checkpoint, const Recipe& recipe, const fs::path& folder,
                     const SaveOptions& options) {
  copy_tokenizer(recipe.tokenizer, folder / "tokenizer");
  copy_vae(run, folder / "vae", options);
  export_text_encoder(checkpoint, recipe, folder / "text_encoder", options);
  save_weights(checkpoint.part("ema.unet."), folder / "unet", options);
  write_json(folder / "unet" / "config.json", UNet2DConditionModelConfig::from_json(recipe.unet).to_json());
  const auto things = run.path() / "things.json";
  if (fs::exists(things)) fs::copy_file(things, folder / "things.json", fs::copy_options::overwrite_existing);
  auto schedule = ScheduleConfig::from_json(recipe.scheduler);
  schedule.class_name = "DDIMScheduler";
  write_json(folder / "scheduler" / "scheduler_config.json", schedule.to_json());
  write_json(folder / "model_index.json", model_index());  // last: it makes the folder a pipeline
}

}  // namespace

void export_run(const RunFolder& run, const fs::path& folder, const SaveOptions& options) {
  const auto where = run.path() / "recipe.json";
  if (!fs::exists(where)) throw std::invalid_argument("'" + run.path().string() + "' is no training run");
  const auto recipe = parse_recipe(read_json(where), "'" + where.string() + "'");
  const auto checkpoint = run.newest();
  if (!checkpoint) throw std::runtime_error("'" + run.path().string() + "' holds no checkpoint yet");
  if (recipe.kind == "vae") {
    export_vae(*checkpoint, recipe, folder, options);
  } else if (recipe.kind == "classifier") {
    export_classifier(*checkpoint, recipe, folder, options);
  } else {
    export_pipeline(run, *checkpoint, recipe, folder, options);
  }
}

}  // namespace sfumato
