#include "engine/metadata.h"

#include <stdexcept>

#include "core/error_text.h"
#include "core/json_text.h"
#include "core/number_text.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "systems/stable_diffusion/upscalers.h"

namespace sfumato {
namespace {

constexpr const char* kKeyword = "sfumato";

/// Returns the file name of a path; as JSON if it contains separators of values.
std::string file_name(const std::string& path) {
  auto name = std::filesystem::path(path).filename().string();
  if (name.find_first_of(",:\n") == std::string::npos) return name;
  return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Returns <lora:NAME:WEIGHT> for each LoRA, including those of --lora.
std::string lora_tags(const Adapters& adapters) {
  std::string tags;
  for (const auto& lora : adapters.loras) {
    tags += (tags.empty() ? "<lora:" : " <lora:") + lora.path.stem().string() + ":";
    if (lora.text_encoder_weight || lora.dyn) tags += number_text(lora.text_encoder_weight.value_or(lora.weight)) + ":";
    tags += number_text(lora.weight) + (lora.dyn ? ":" + std::to_string(*lora.dyn) : "") + ">";
  }
  return tags;
}

/// Returns the prompt with its LoRAs, in the web UI's form. A comment would hide the text after it.
std::string prompt_with_tags(const ImageRecord& record) {
  const auto tags = lora_tags(record.adapters);
  const auto& prompt = record.request.prompt;
  if (tags.empty() || prompt.empty()) return prompt + tags;
  if (prompt.find('#') != std::string::npos) return tags + " " + prompt;
  return prompt + (prompt.ends_with(' ') ? "" : " ") + tags;
}

/// Returns `, KEY: "NAME: HASH, NAME: HASH"`; "" without files.
std::string hash_list(const std::string& key, const std::vector<std::pair<std::string, std::string>>& hashes) {
  std::string list;
  for (const auto& [name, hash] : hashes) list += (list.empty() ? "" : ", ") + name + ": " + hash;
  return list.empty() ? "" : ", " + key + ": \"" + list + "\"";
}

/// Returns the settings of inpainting, under the web UI's names.
std::string inpaint_parameters(const Request::Inpaint& inpaint) {
  std::string text;
  if (inpaint.mask_blur > 0) text += ", Mask blur: " + number_text(inpaint.mask_blur);
  if (inpaint.invert_mask) text += ", Mask mode: Inpaint not masked";
  if (inpaint.only_masked)
    text += ", Inpaint area: Only masked, Masked area padding: " + std::to_string(inpaint.mask_padding);
  return text;
}

/// Returns the settings of ControlNets, in the form of the web UI's extension.
std::string control_parameters(const Request& request) {
  std::string text;
  for (std::size_t i = 0; i < request.controls.size(); ++i) {
    const auto& unit = request.controls[i];
    text +=
        ", ControlNet " + std::to_string(i) + ": \"Module: " + (unit.preprocess.empty() ? "none" : unit.preprocess) +
        ", Model: " + std::filesystem::path(unit.model).filename().string() + ", Weight: " + number_text(unit.scale) +
        ", Guidance Start: " + number_text(unit.start) + ", Guidance End: " + number_text(unit.end) + "\"";
  }
  return text;
}

/// Returns the settings of a second pass, under the web UI's names.
std::string hires_parameters(const Request::Hires& hires) {
  auto text = ", Denoising strength: " + number_text(hires.strength);
  if (hires.scale > 0)
    text += ", Hires upscale: " + number_text(hires.scale);
  else
    text += ", Hires resize: " + std::to_string(hires.width) + "x" + std::to_string(hires.height);
  if (hires.steps > 0) text += ", Hires steps: " + std::to_string(hires.steps);
  return text + ", Hires upscaler: " + find_upscaler(hires.upscaler).label;
}

/// Returns the entry of a schedule; "" for the model's own timesteps.
std::string schedule_type(const std::string& schedule) {
  if (schedule.empty() || schedule == "discrete") return "";
  return ", Schedule type: " + find_sigma_schedule(schedule).label;
}

std::string variation(const Request& request) {
  if (request.subseed_strength == 0) return "";
  return ", Variation seed: " + std::to_string(request.subseed) +
         ", Variation seed strength: " + number_text(request.subseed_strength);
}

/// Returns AUTOMATIC1111's form, which similar programs parse: prompt, negative prompt, one line of settings.
std::string parameters(const ImageRecord& record) {
  const auto& request = record.request;
  auto text = prompt_with_tags(record) + "\n";
  if (const auto negative = request.negative_prompt.value_or(""); !negative.empty())
    text += "Negative prompt: " + negative + "\n";
  text += "Steps: " + std::to_string(request.steps) + ", Sampler: " + find_sampler(request.sampler).label +
          schedule_type(request.schedule) + ", CFG scale: " + number_text(request.guidance_scale) +
          ", Seed: " + std::to_string(request.seed) + variation(request) + ", Size: " + std::to_string(request.width) +
          "x" + std::to_string(request.height) + ", Model: " + file_name(record.model.name);
  if (!record.model.vae.empty()) text += ", VAE: " + file_name(record.model.vae);
  if (!request.image.empty()) text += ", Denoising strength: " + number_text(request.strength);
  if (!request.inpaint.mask.empty()) text += inpaint_parameters(request.inpaint);
  if (request.hires.is_on()) text += hires_parameters(request.hires);
  if (request.refiner.is_on())
    text += ", Refiner: " + file_name(request.refiner.model) +
            ", Refiner switch at: " + number_text(request.refiner.switch_at);
  if (request.clip_guidance.is_on())
    text += ", CLIP guidance: " + number_text(request.clip_guidance.scale) +
            ", CLIP model: " + file_name(request.clip_guidance.model);
  if (request.clip_skip > 1) text += ", Clip skip: " + std::to_string(request.clip_skip);
  text += std::string(", RNG: ") + (request.rng == "cuda" ? "NV" : "CPU");
  if (request.eta > 0) text += (request.sampler == "ddim" ? ", Eta DDIM: " : ", Eta: ") + number_text(request.eta);
  if (request.tiling) text += ", Tiling: True";
  return text + hash_list("Lora hashes", record.hashes.loras) + hash_list("TI hashes", record.hashes.embeddings) +
         control_parameters(request) + ", Version: sfumato";
}

/// Refuses records of sample, diffuse and invert, which are not requests.
void refuse_other_programs(const std::filesystem::path& path, const std::string& text) {
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("program")) return;
  throw std::runtime_error("'" + path.string() + "' was made by " + value_or<std::string>(json, "program", "") +
                           ", expected an image of txt2img, img2img or inpaint");
}

}  // namespace

TextChunks to_text_chunks(const ImageRecord& record) {
  const auto& model = record.model;
  nlohmann::ordered_json json = {{"request", to_json(record.request)}, {"model", model.name}};
  if (!model.vae.empty()) json["vae"] = model.vae;
  if (!model.prediction.empty()) json["prediction"] = model.prediction;
  json.update({{"device", model.device}, {"dtype", model.dtype}});
  if (model.tf32) json["tf32"] = true;
  if (model.vae_tiling != "auto") json["vae_tiling"] = model.vae_tiling;
  json.update(to_json(record.adapters));
  return {{"parameters", parameters(record)}, {kKeyword, json.dump()}};
}

bool has_record(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_image_texts(path))
    if (keyword == kKeyword) return true;
  return false;
}

ImageRecord read_record(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_image_texts(path)) {
    if (keyword != kKeyword) continue;
    refuse_other_programs(path, text);
    try {
      const auto json = Json::parse(text);
      return {.request = request_from_json(value_at<Json>(json, "request")),
              .model = {.name = value_at<std::string>(json, "model"),
                        .vae = value_or<std::string>(json, "vae", ""),
                        .prediction = value_or<std::string>(json, "prediction", ""),
                        .device = value_at<std::string>(json, "device"),
                        .dtype = value_at<std::string>(json, "dtype"),
                        .tf32 = value_or(json, "tf32", false),
                        .vae_tiling = value_or<std::string>(json, "vae_tiling", "auto")},
              .adapters = adapters_from_json(json)};
    } catch (const std::exception& error) {
      throw std::runtime_error("the request in '" + path.string() + "' is damaged: " + error_text(error));
    }
  }
  throw std::runtime_error("'" + path.string() + "' holds no request of Sfumato (a text chunk named sfumato)");
}

}  // namespace sfumato
