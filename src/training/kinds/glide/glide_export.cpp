#include "training/kinds/glide/glide_export.h"

#include <stdexcept>
#include <string>

#include "checkpoints/load.h"
#include "core/files.h"
#include "core/json.h"
#include "diffusion/schedule_config.h"
#include "models/autoencoder_kl.h"
#include "models/glide_text_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/export_tokenizer.h"
#include "training/loading/latent_cache.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

const OrderedJson kUnetClass = {"diffusers", "UNet2DConditionModel"}, kTextClass = {"sfumato", "GLIDETextModel"};

/// Names of a stage's parts.
struct StageFolders {
  std::string unet, text_encoder, scheduler, scheduler_class;
};

void export_stage(const Checkpoint& checkpoint, const GLIDERecipe& recipe, const fs::path& folder,
                  const StageFolders& names, SaveOptions options) {
  save_weights(checkpoint.part("ema.unet."), folder / names.unet, options);
  write_json(folder / names.unet / "config.json", UNet2DConditionModelConfig::from_json(recipe.unet).to_json());
  options.basename = "model";
  save_weights(checkpoint.part("ema.text_encoder."), folder / names.text_encoder, options);
  write_json(folder / names.text_encoder / "config.json",
             GLIDETextModelConfig::from_json(recipe.text_encoder).to_json());
  auto schedule = ScheduleConfig::from_json(recipe.scheduler);
  schedule.class_name = names.scheduler_class;
  write_json(folder / names.scheduler / "scheduler_config.json", schedule.to_json());
}

std::string tokenizer_class(const fs::path& tokenizer) {
  const bool is_sentence_piece = fs::exists(tokenizer / "spiece.model");
  return value_or<std::string>(read_json(tokenizer / "tokenizer_config.json"), "tokenizer_class",
                               is_sentence_piece ? "T5Tokenizer" : "GPT2Tokenizer");
}

void export_base(const RunFolder& run, const Checkpoint& checkpoint, const GLIDERecipe& recipe, const fs::path& folder,
                 const SaveOptions& options) {
  export_tokenizer(recipe.tokenizer, folder / "tokenizer");
  const StageFolders names{"text_unet", "text_encoder", "text_noise_scheduler", "DDPMScheduler"};
  export_stage(checkpoint, recipe, folder, names, options);
  OrderedJson index = {{"_class_name", "GLIDEPipeline"},
                       {"text_encoder", kTextClass},
                       {"text_noise_scheduler", {"diffusers", "DDPMScheduler"}},
                       {"text_unet", kUnetClass},
                       {"tokenizer", {"transformers", tokenizer_class(recipe.tokenizer)}}};
  if (!recipe.vae.empty()) {
    export_first_stage(run, folder / "vae", options);
    index["vae"] = {"diffusers", "AutoencoderKL"};
  }
  const auto things = run.path() / "things.json";
  if (fs::exists(things)) copy_whole_file(things, folder / "things.json");
  write_json(folder / "model_index.json", index);  // last: it makes the folder a pipeline
}

void export_upsampler(const Checkpoint& checkpoint, const GLIDERecipe& recipe, const fs::path& folder,
                      const SaveOptions& options) {
  const auto index_file = fs::path(recipe.base) / "model_index.json";
  if (recipe.base.empty() || !fs::exists(index_file))
    throw std::runtime_error("the recipe's base '" + recipe.base + "' is no folder of a GLIDEPipeline: expected the " +
                             "export of a run of kind glide");
  check_shared_vae(recipe);
  OrderedJson index = read_json(index_file);
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(recipe.base))
    if (!entry.path().filename().string().starts_with("upscale_") && entry.path() != index_file)
      fs::copy(entry.path(), folder / entry.path().filename(),
               fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  const StageFolders names{"upscale_unet", "upscale_text_encoder", "upscale_noise_scheduler", "DDIMScheduler"};
  export_stage(checkpoint, recipe, folder, names, options);
  index["upscale_low_res_size"] = recipe.low_res_size;
  index["upscale_noise_scheduler"] = {"diffusers", "DDIMScheduler"};
  index["upscale_text_encoder"] = kTextClass;
  index["upscale_unet"] = kUnetClass;
  write_json(folder / "model_index.json", index);
}

/// True if both folders have the same weights and the same scale of latents.
bool same_autoencoder(const fs::path& one, const fs::path& other) {
  if (fs::equivalent(one, other)) return true;
  const auto config = AutoencoderKLConfig::from_json(read_json(one / "config.json")).to_json();
  if (config != AutoencoderKLConfig::from_json(read_json(other / "config.json")).to_json()) return false;
  const AutoencoderKL first(from_pretrained<AutoencoderKLImpl>(one, {torch::kCPU, torch::kFloat32})),
      second(from_pretrained<AutoencoderKLImpl>(other, {torch::kCPU, torch::kFloat32}));
  const auto weights = second->named_parameters();
  for (const auto& item : first->named_parameters())
    if (!torch::equal(item.value(), weights[item.key()])) return false;
  return true;
}

}  // namespace

void check_shared_vae(const GLIDERecipe& recipe) {
  if (!recipe.is_upsampler() || recipe.base.empty() || !fs::exists(fs::path(recipe.base) / "model_index.json")) return;
  const auto own = fs::path(recipe.base) / "vae";
  const bool in_latents = fs::exists(own);
  if (in_latents == recipe.vae.empty())
    throw std::invalid_argument(
        "'vae' is '" + recipe.vae + "', and the base model '" + recipe.base +
        (in_latents ? "' is one of latents: expected '" + own.string() + "'" : "' is one of pixels: expected none"));
  if (in_latents && !same_autoencoder(recipe.vae, own))
    throw std::invalid_argument("'vae' is '" + recipe.vae + "', which differs from the base model's: expected '" +
                                own.string() + "'");
}

void export_glide(const RunFolder& run, const Checkpoint& checkpoint, const GLIDERecipe& recipe, const fs::path& folder,
                  const SaveOptions& options) {
  if (recipe.is_upsampler())
    export_upsampler(checkpoint, recipe, folder, options);
  else
    export_base(run, checkpoint, recipe, folder, options);
}

}  // namespace sfumato
