#include "systems/stable_diffusion/pipeline_files.h"

#include <algorithm>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"
#include "checkpoints/weight_files.h"
#include "core/error_text.h"
#include "systems/pipeline_classes.h"
#include "systems/stable_diffusion/single_file.h"

namespace sfumato {
namespace {

using std::filesystem::path;
using Names = std::vector<std::string>;

[[noreturn]] void refuse_files(const path& folder, const std::string& why) {
  throw std::runtime_error("model '" + folder.string() + "': " + why);
}

// --- From a folder
// ----------------------------------------------------------------------------------------------------

KeyRename renames_of(const std::string& class_name) {
  if (class_name == "AutoencoderKL") return AutoencoderKLImpl::rename_key;
  if (class_name == "CLIPTextModel") return CLIPTextModelImpl::rename_key;
  if (class_name == "CLIPTextModelWithProjection") return CLIPTextModelWithProjectionImpl::rename_key;
  return [](const std::string& key) { return key; };
}

PipelineFiles::Network read_network(const path& folder, const std::string& class_name) {
  PipelineFiles::Network network{.config = read_json(folder / "config.json"), .weights = {}};
  const WeightFiles files(folder);
  const auto rename = renames_of(class_name);
  for (const auto& key : files.names()) {
    const auto name = rename(key);
    if (name.empty()) continue;
    if (!network.weights.try_emplace(name, files.file_of(key).tensor(key)).second)
      refuse_files(folder, in_quotes(key) + " is given twice, also as " + in_quotes(name));
  }
  return network;
}

/// Returns the class of a part in the index, or "".
std::string class_named(const nlohmann::ordered_json& index, const std::string& part) {
  const auto entry = index.find(part);
  if (entry == index.end() || !entry->is_array() || entry->size() != 2 || !(*entry)[1].is_string()) return "";
  return (*entry)[1].get<std::string>();
}

/// Removes parts of the folder that are not read, such as safety_checker and controlnet, from model_index.json; a class
/// that requires them is replaced by the plain one.
void leave_out_other_parts(const path& folder, PipelineFiles& files) {
  const Names kept = {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"};
  Names parts;
  for (const auto& [part, entry] : files.index.items())
    if (std::find(kept.begin(), kept.end(), part) == kept.end()) parts.push_back(part);
  for (const auto& part : parts) {
    if (class_named(files.index, part).empty() || !std::filesystem::is_directory(folder / part)) continue;
    files.notes.push_back("'" + (folder / part).string() + "' is left out");
    files.index[part] = {nullptr, nullptr};
    if (part == "safety_checker") files.index["requires_safety_checker"] = false;
    const auto* row = find_pipeline_class(files.index.value("_class_name", ""));
    if (row != nullptr && !row->note.empty() && (part == "controlnet" || part == "adapter"))
      files.index["_class_name"] = row->is_xl ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline";
  }
}

void require_text_pipeline(const path& folder, const nlohmann::ordered_json& index) {
  const auto name = value_or<std::string>(Json(index), "_class_name", "");
  const auto* row = find_pipeline_class(name);
  if (row != nullptr && row->system != System::stable_diffusion)
    refuse_files(folder, "it is a " + name + ", which sample runs: convert takes Stable Diffusion alone");
  for (const auto* part : {"unet", "vae"})
    if (class_named(index, part).empty())
      refuse_files(folder, "it is a " + (name.empty() ? "pipeline" : name) + " whose model_index.json names no " +
                               part + ": convert takes Stable Diffusion alone");
}

PipelineFiles read_folder(const path& folder) {
  if (!std::filesystem::exists(folder / "model_index.json"))
    refuse_files(folder, "no model_index.json in it: expected a diffusers StableDiffusionPipeline folder");
  PipelineFiles files{
      .index = read_json(folder / "model_index.json"), .networks = {}, .scheduler = {}, .tokenizers = {}};
  if (!files.index.is_object()) refuse_files(folder, "model_index.json holds no object");
  require_text_pipeline(folder, files.index);
  for (const auto* part : {"unet", "vae", "text_encoder", "text_encoder_2"})
    if (const auto name = class_named(files.index, part); !name.empty())
      files.networks[part] = read_network(folder / part, name);
  for (const auto* part : {"tokenizer", "tokenizer_2"})
    if (std::filesystem::is_directory(folder / part)) files.tokenizers[part] = folder / part;
  files.scheduler = read_json(folder / "scheduler" / "scheduler_config.json");
  leave_out_other_parts(folder, files);
  return files;
}

// --- From a single file
// -----------------------------------------------------------------------------------------------

/// Writes it as in the folders of Stable Diffusion 1.5, 2.1 and XL: with the keys of their classes.
nlohmann::ordered_json scheduler_json(const ScheduleConfig& config) {
  if (config.process != "betas") return config.to_json();
  nlohmann::ordered_json json = {{"_class_name", config.class_name},
                                 {"beta_end", config.beta_end},
                                 {"beta_schedule", config.beta_schedule},
                                 {"beta_start", config.beta_start},
                                 {"num_train_timesteps", config.num_train_timesteps},
                                 {"prediction_type", config.prediction_type},
                                 {"steps_offset", config.steps_offset},
                                 {"timestep_spacing", config.timestep_spacing}};
  if (config.rescale_betas_zero_snr) json["rescale_betas_zero_snr"] = true;
  if (config.class_name != "EulerDiscreteScheduler") json["set_alpha_to_one"] = config.set_alpha_to_one;
  if (config.class_name == "DDIMScheduler") json["clip_sample"] = config.clip_sample;
  if (config.class_name == "PNDMScheduler") json["skip_prk_steps"] = config.skip_prk_steps;
  return json;
}

std::string pipeline_class(const OriginalLayout& layout) {
  const std::string family = layout.is_xl() ? "StableDiffusionXL" : "StableDiffusion";
  if (layout.unet.in_channels == 2 * layout.vae.latent_channels) return family + "InstructPix2PixPipeline";
  if (layout.unet.in_channels != layout.vae.latent_channels) return family + "InpaintPipeline";
  return family + (layout.is_refiner() ? "Img2ImgPipeline" : "Pipeline");
}

nlohmann::ordered_json index_json(const OriginalLayout& layout, const std::string& scheduler) {
  const nlohmann::ordered_json none = {nullptr, nullptr}, tokenizer = {"transformers", "CLIPTokenizer"};
  const nlohmann::ordered_json plain = {"transformers", "CLIPTextModel"};
  const nlohmann::ordered_json projecting = {"transformers", "CLIPTextModelWithProjection"};
  nlohmann::ordered_json index = {{"_class_name", pipeline_class(layout)}, {"_diffusers_version", "0.42.1"}};
  if (layout.is_xl()) {
    index["force_zeros_for_empty_prompt"] = !layout.is_refiner();
    if (layout.is_refiner()) index["requires_aesthetics_score"] = true;
  } else {
    index.update({{"requires_safety_checker", false}, {"safety_checker", none}});
  }
  index.update({{"feature_extractor", none},
                {"image_encoder", none},
                {"scheduler", {"diffusers", scheduler}},
                {"text_encoder", layout.is_refiner() ? none : plain},
                {"tokenizer", layout.is_refiner() ? none : tokenizer}});
  if (layout.is_xl()) index.update({{"text_encoder_2", projecting}, {"tokenizer_2", tokenizer}});
  index.update({{"unet", {"diffusers", "UNet2DConditionModel"}}, {"vae", {"diffusers", "AutoencoderKL"}}});
  return index;
}

PipelineFiles::Network text_network(const TensorFile& file, const OriginalTextEncoder& encoder) {
  if (encoder.projects)
    return {.config = encoder.config.to_json("CLIPTextModelWithProjection"),
            .weights = read_original_weights(file, CLIPTextModelWithProjectionImpl(encoder.config), encoder.names)};
  return {.config = encoder.config.to_json(),
          .weights = read_original_weights(file, CLIPTextModelImpl(encoder.config), encoder.names)};
}

PipelineFiles read_single_file(const path& path, const std::vector<std::filesystem::path>& tokenizers) {
  const auto file = open_tensors(path);
  auto layout = read_original_layout(*file);
  if (!layout.has_vae) throw std::runtime_error("no key begins with first_stage_model.: expected a VAE in it");
  const auto yaml = read_checkpoint_yaml(path);
  if (yaml.scaling_factor) layout.vae.scaling_factor = *yaml.scaling_factor;
  const auto unet = read_original_weights(*file, UNet2DConditionModelImpl(layout.unet), layout.unet_names);
  const auto schedule = schedule_config_of(layout, unet, yaml);
  PipelineFiles files{.index = index_json(layout, schedule.class_name),
                      .networks = {},
                      .scheduler = scheduler_json(schedule),
                      .tokenizers = {}};
  files.networks["unet"] = {layout.unet.to_json(), unet};
  files.networks["vae"] = {layout.vae.to_json(),
                           read_original_weights(*file, AutoencoderKLImpl(layout.vae), layout.vae_names)};
  for (std::size_t i = 0; i < layout.text_encoders.size(); ++i) {
    const std::string suffix = i == 1 || layout.is_refiner() ? "_2" : "";
    files.networks["text_encoder" + suffix] = text_network(*file, layout.text_encoders[i]);
    files.tokenizers["tokenizer" + suffix] = shipped_tokenizer(layout.text_encoders[i].is_open_clip, tokenizers);
  }
  return files;
}

}  // namespace

PipelineFiles read_pipeline_files(const path& path, const std::vector<std::filesystem::path>& tokenizers) {
  if (std::filesystem::is_directory(path)) return read_folder(path);
  if (!std::filesystem::exists(path)) refuse_files(path, "no such folder or file");
  try {
    return read_single_file(path, tokenizers);
  } catch (const std::exception& error) {
    const auto why = error_text(error);
    if (why.find(path.string()) != std::string::npos) throw;
    refuse_files(path, why);
  }
}

}  // namespace sfumato
