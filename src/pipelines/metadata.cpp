#include "pipelines/metadata.h"

#include <stdexcept>

#include "core/number_text.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "pipelines/upscalers.h"

namespace sfumato {
namespace {

constexpr const char* kKeyword = "sfumato";

/// Of a path; as JSON where it holds what separates values.
std::string file_name(const std::string& path) {
  const auto name = std::filesystem::path(path).filename().string();
  if (name.find_first_of(",:\n") == std::string::npos) return name;
  return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Of inpainting, in the web UI's words.
std::string inpaint_parameters(const Request::Inpaint& inpaint) {
  std::string text;
  if (inpaint.mask_blur > 0) text += ", Mask blur: " + number_text(inpaint.mask_blur);
  if (inpaint.invert_mask) text += ", Mask mode: Inpaint not masked";
  if (inpaint.only_masked)
    text += ", Inpaint area: Only masked, Masked area padding: " + std::to_string(inpaint.mask_padding);
  return text;
}

/// As its extension for ControlNet writes them.
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

/// Of a second pass, likewise.
std::string hires_parameters(const Request::Hires& hires) {
  auto text = ", Denoising strength: " + number_text(hires.strength);
  if (hires.scale > 0)
    text += ", Hires upscale: " + number_text(hires.scale);
  else
    text += ", Hires resize: " + std::to_string(hires.width) + "x" + std::to_string(hires.height);
  if (hires.steps > 0) text += ", Hires steps: " + std::to_string(hires.steps);
  return text + ", Hires upscaler: " + find_upscaler(hires.upscaler).label;
}

/// Of the model's own timesteps nothing is said.
std::string schedule_type(const std::string& schedule) {
  if (schedule.empty() || schedule == "discrete") return "";
  return ", Schedule type: " + find_sigma_schedule(schedule).label;
}

/// The form that AUTOMATIC1111's web UI writes and that its kin parse: prompt, negative prompt, one line of settings.
std::string parameters(const PictureRecord& record) {
  const auto& request = record.request;
  auto text = request.prompt + "\n";
  if (const auto negative = request.negative_prompt.value_or(""); !negative.empty())
    text += "Negative prompt: " + negative + "\n";
  text += "Steps: " + std::to_string(request.steps) + ", Sampler: " + find_sampler(request.sampler).label +
          schedule_type(request.schedule) + ", CFG scale: " + number_text(request.guidance_scale) +
          ", Seed: " + std::to_string(request.seed) + ", Size: " + std::to_string(request.width) + "x" +
          std::to_string(request.height) + ", Model: " + file_name(record.model);
  if (!record.vae.empty()) text += ", VAE: " + file_name(record.vae);
  if (!request.image.empty()) text += ", Denoising strength: " + number_text(request.strength);
  if (!request.inpaint.mask.empty()) text += inpaint_parameters(request.inpaint);
  if (request.hires.is_on()) text += hires_parameters(request.hires);
  if (request.refiner.is_on())
    text += ", Refiner: " + file_name(request.refiner.model) +
            ", Refiner switch at: " + number_text(request.refiner.switch_at);
  if (request.clip_skip > 1) text += ", Clip skip: " + std::to_string(request.clip_skip);
  text += std::string(", RNG: ") + (request.rng == "cuda" ? "NV" : "CPU");
  if (request.eta > 0) text += (request.sampler == "ddim" ? ", Eta DDIM: " : ", Eta: ") + number_text(request.eta);
  return text + control_parameters(request) + ", Version: sfumato";
}

}  // namespace

TextChunks to_text_chunks(const PictureRecord& record) {
  nlohmann::ordered_json json = {{"request", to_json(record.request)}, {"model", record.model}};
  if (!record.vae.empty()) json["vae"] = record.vae;
  json.update({{"device", record.device}, {"dtype", record.dtype}});
  if (record.tf32) json["tf32"] = true;
  if (record.vae_tiling != "auto") json["vae_tiling"] = record.vae_tiling;
  json.update(to_json(record.additions));
  return {{"parameters", parameters(record)}, {kKeyword, json.dump()}};
}

PictureRecord read_record(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_png_texts(path)) {
    if (keyword != kKeyword) continue;
    try {
      const auto json = Json::parse(text);
      return {.request = request_from_json(json.at("request")),
              .model = json.at("model"),
              .vae = value_or<std::string>(json, "vae", ""),
              .device = json.at("device"),
              .dtype = json.at("dtype"),
              .tf32 = value_or(json, "tf32", false),
              .vae_tiling = value_or<std::string>(json, "vae_tiling", "auto"),
              .additions = additions_from_json(json)};
    } catch (const std::exception& error) {
      throw std::runtime_error("the request in '" + path.string() + "' is damaged: " + error.what());
    }
  }
  throw std::runtime_error("'" + path.string() + "' holds no request of Sfumato (a text chunk named sfumato)");
}

}  // namespace sfumato
