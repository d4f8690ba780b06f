#include "systems/stable_diffusion/diffusers_folder.h"

#include <stdexcept>

#include "models/autoencoder_tiny.h"
#include "models/original_layout.h"
#include "systems/model_index.h"
#include "systems/stable_diffusion/vae.h"

namespace sfumato {
namespace {

using Folder = std::filesystem::path;

[[noreturn]] void refuse(const Folder& folder, const std::string& why) {
  refuse_model(folder, why);
}

/// Loads the text encoder text_encoder`suffix` with tokenizer`suffix`.
TextEncoder load_text_encoder(const Folder& folder, const ModelIndex& index, const std::string& suffix,
                              const Placement& placement) {
  const auto part = "text_encoder" + suffix;
  index.class_of("tokenizer" + suffix, {"CLIPTokenizer", "CLIPTokenizerFast", "T5Tokenizer", "T5TokenizerFast"});
  const auto name = index.class_of(part, {"CLIPTextModel", "CLIPTextModelWithProjection", "T5EncoderModel"});
  if (value_or(read_json(folder / part / "config.json"), "use_attention_mask", false))
    refuse(folder, part + ": use_attention_mask true is not supported");
  std::shared_ptr<Tokenizer> tokenizer = load_part(folder, "tokenizer" + suffix, load_tokenizer);
  const auto at_rest = placement.at_rest();
  const auto states = index.pipeline_class().is_xl ? ClipStates::penultimate : ClipStates::last;
  if (name == "T5EncoderModel")
    return make_text_encoder(tokenizer, load_network<T5EncoderModelImpl>(folder, part, at_rest));
  if (name == "CLIPTextModel")
    return make_text_encoder(tokenizer, load_network<CLIPTextModelImpl>(folder, part, at_rest), states);
  return make_text_encoder(tokenizer, load_network<CLIPTextModelWithProjectionImpl>(folder, part, at_rest), states);
}

/// Loads all text encoders. Stable Diffusion XL's refiner has only the second one.
std::vector<TextEncoder> load_text_encoders(const Folder& folder, const ModelIndex& index, const Placement& placement) {
  std::vector<TextEncoder> encoders;
  if (!index.pipeline_class().is_xl || index.names("text_encoder"))
    encoders.push_back(load_text_encoder(folder, index, "", placement));
  if (index.pipeline_class().is_xl) encoders.push_back(load_text_encoder(folder, index, "_2", placement));
  return encoders;
}

Schedule load_schedule(const Folder& folder, bool is_xl) {
  if (!std::filesystem::is_directory(folder / "scheduler")) refuse(folder, "its folder scheduler is missing");
  return load_part(folder, "scheduler", [is_xl](const Folder& path) {
    auto config = ScheduleConfig::from_json(read_json(path / "scheduler_config.json"));
    if (is_xl) return Schedule(config);
    // As in diffusers' pipeline: older folders contain another value, but their models use this one.
    config.steps_offset = 1;
    config.clip_sample = false;
    return Schedule(config);
  });
}

PlacedVae load_own_vae(const Folder& folder, const ModelIndex& index, const Placement& placement) {
  const auto name = index.class_of("vae", {"AutoencoderKL", "AutoencoderTiny"});
  if (name == "AutoencoderTiny")
    return {load_network<AutoencoderTinyImpl>(folder, "vae", placement.at_rest()), placement};
  const auto force_upcast = value_or(read_json(folder / "vae" / "config.json"), "force_upcast", true);
  const auto vae_placement = vae_placement_of(placement, force_upcast);
  return {load_network<AutoencoderKLImpl>(folder, "vae", vae_placement.at_rest()), vae_placement};
}

/// Returns the config of the folder's AutoencoderKL; if there is none, the usual one for such a UNet.
AutoencoderKLConfig own_vae_config(const Folder& folder, const UNet2DConditionModelConfig& unet) {
  const auto config = folder / "vae" / "config.json";
  if (!std::filesystem::exists(config)) return usual_vae(unet);
  const auto json = read_json(config);
  if (value_or<std::string>(json, "_class_name", "AutoencoderKL") != "AutoencoderKL") return usual_vae(unet);
  return load_part(folder, "vae", [&](const Folder&) { return AutoencoderKLConfig::from_json(json); });
}

PlacedVae load_vae_of(const Folder& folder, const ModelIndex& index, const UNet2DConditionModelConfig& unet,
                      const Placement& placement, const VaeChoice& choice) {
  if (!choice.path.empty()) return load_vae(choice.path, own_vae_config(folder, unet), placement);
  if (!index.names("vae")) return {};
  return load_own_vae(folder, index, placement);
}

}  // namespace

StableDiffusion load_diffusers_folder(const Folder& folder, const Placement& placement, const VaeChoice& choice) {
  const ModelIndex index(folder);
  index.require_system(System::stable_diffusion);
  if (index.flag("is_cosxl_edit", false)) refuse(folder, "is_cosxl_edit true is not supported");
  index.class_of("unet", {"UNet2DConditionModel"});
  auto schedule = load_schedule(folder, index.pipeline_class().is_xl);
  auto unet = load_network<UNet2DConditionModelImpl>(folder, "unet", placement);
  auto vae = load_vae_of(folder, index, unet->config(), placement, choice);
  return {
      .text_encoders = load_text_encoders(folder, index, placement),
      .unet = std::move(unet),
      .vae = std::move(vae.network),
      .schedule = std::move(schedule),
      .things = load_part(folder, "things.json", read_vocabulary),
      .placement = placement,
      .vae_placement = vae.placement,
      .zeros_without_negative_prompt = index.pipeline_class().is_xl && index.flag("force_zeros_for_empty_prompt", true),
      .requires_aesthetics_score = index.flag("requires_aesthetics_score", false),
      .notes = index.notes()};
}

}  // namespace sfumato
