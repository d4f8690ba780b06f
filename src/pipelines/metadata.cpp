#include "pipelines/metadata.h"

#include <stdexcept>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

constexpr const char* kKeyword = "sfumato";

std::string number(double value) {
  auto text = Json(value).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

/// Of a path; as JSON where it holds what separates values.
std::string file_name(const std::string& path) {
  const auto name = std::filesystem::path(path).filename().string();
  if (name.find_first_of(",:\n") == std::string::npos) return name;
  return Json(name).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The form that AUTOMATIC1111's web UI writes and that its kin parse: prompt, negative prompt, one line of settings.
std::string parameters(const PictureRecord& record) {
  const auto& request = record.request;
  auto text = request.prompt + "\n";
  if (const auto negative = request.negative_prompt.value_or(""); !negative.empty())
    text += "Negative prompt: " + negative + "\n";
  text += "Steps: " + std::to_string(request.steps) + ", Sampler: " + find_sampler(request.sampler).label +
          (request.schedule == "karras" ? ", Schedule type: Karras" : "") +
          ", CFG scale: " + number(request.guidance_scale) + ", Seed: " + std::to_string(request.seed) +
          ", Size: " + std::to_string(request.width) + "x" + std::to_string(request.height) +
          ", Model: " + file_name(record.model);
  if (!record.vae.empty()) text += ", VAE: " + file_name(record.vae);
  if (!request.image.empty()) text += ", Denoising strength: " + number(request.strength);
  if (request.clip_skip > 1) text += ", Clip skip: " + std::to_string(request.clip_skip);
  text += std::string(", RNG: ") + (request.rng == "cuda" ? "NV" : "CPU");
  if (request.eta != 0) text += (request.sampler == "ddim" ? ", Eta DDIM: " : ", Eta: ") + number(request.eta);
  return text + ", Version: sfumato";
}

}  // namespace

TextChunks to_text_chunks(const PictureRecord& record) {
  nlohmann::ordered_json json = {{"request", to_json(record.request)}, {"model", record.model}};
  if (!record.vae.empty()) json["vae"] = record.vae;
  json.update({{"device", record.device}, {"dtype", record.dtype}});
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
              .dtype = json.at("dtype")};
    } catch (const std::exception& error) {
      throw std::runtime_error("the request in '" + path.string() + "' is damaged: " + error.what());
    }
  }
  throw std::runtime_error("'" + path.string() + "' holds no request of Sfumato (a text chunk named sfumato)");
}

}  // namespace sfumato
