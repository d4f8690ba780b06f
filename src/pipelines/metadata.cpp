#include "pipelines/metadata.h"

#include <stdexcept>

#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"

namespace sfumato {
namespace {

constexpr const char* kKeyword = "sfumato";

std::string number(double value) {
  auto text = Json(value).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
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
  if (!request.negative_prompt.empty()) text += "Negative prompt: " + request.negative_prompt + "\n";
  text += "Steps: " + std::to_string(request.steps) + ", Sampler: " + find_sampler(request.sampler).label +
          schedule_type(request.schedule) + ", CFG scale: " + number(request.guidance_scale) +
          ", Seed: " + std::to_string(request.seed) + ", Size: " + std::to_string(request.width) + "x" +
          std::to_string(request.height) + ", Model: " + std::filesystem::path(record.model).filename().string();
  if (!request.image.empty()) text += ", Denoising strength: " + number(request.strength);
  if (request.eta != 0) text += ", Eta: " + number(request.eta);
  return text + ", Version: sfumato";
}

}  // namespace

TextChunks to_text_chunks(const PictureRecord& record) {
  const nlohmann::ordered_json json = {{"request", to_json(record.request)},
                                       {"model", record.model},
                                       {"device", record.device},
                                       {"dtype", record.dtype}};
  return {{"parameters", parameters(record)}, {kKeyword, json.dump()}};
}

PictureRecord read_record(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_png_texts(path)) {
    if (keyword != kKeyword) continue;
    try {
      const auto json = Json::parse(text);
      return {request_from_json(json.at("request")), json.at("model"), json.at("device"), json.at("dtype")};
    } catch (const std::exception& error) {
      throw std::runtime_error("the request in '" + path.string() + "' is damaged: " + error.what());
    }
  }
  throw std::runtime_error("'" + path.string() + "' holds no request of Sfumato (a text chunk named sfumato)");
}

}  // namespace sfumato
