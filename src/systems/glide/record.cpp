#include "systems/glide/record.h"

#include <filesystem>
#include <stdexcept>
#include <utility>

#include "core/error_text.h"
#include "core/json.h"
#include "core/json_text.h"
#include "core/number_text.h"

namespace sfumato {
namespace {

bool has_upsampled(const GLIDERecord& record, const GLIDEJob& job) {
  return job.upsample.has_value() && !record.is_base;
}

std::string glide_parameters(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job) {
  const auto& request = job.request;
  const bool upsampled = has_upsampled(record, job);
  const auto side = std::to_string(model.pixels(upsampled ? *model.upsampler : model.base));
  auto text = request.prompt;
  if (!request.negative_prompt.empty()) text += "\nNegative prompt: " + request.negative_prompt;
  text += "\nSteps: " + std::to_string(job.base.steps.size()) + ", Sampler: " + job.base.sampler.label;
  text += ", CFG scale: " + number_text(request.base.guidance_scale) + ", Seed: " + std::to_string(record.seed);
  text += ", Size: " + side + "x" + side + ", Model: " + std::filesystem::path(record.model).filename().string();
  if (job.clip)
    text += ", CLIP guidance: " + number_text(request.clip_scale) +
            ", CLIP model: " + std::filesystem::path(request.clip_model).filename().string();
  if (upsampled) text += ", Hires steps: " + std::to_string(job.upsample->steps.size());
  return text + ", Version: sfumato";
}

nlohmann::ordered_json stage_json(const GLIDEStageRequest& stage, const Chain& chain) {
  nlohmann::ordered_json json = {{"sampler", chain.sampler.name}};
  if (stage.chain.respacing.empty())
    json["steps"] = chain.steps.size();
  else
    json["respacing"] = stage.chain.respacing;
  if (chain.sampler.name == "ddim") json["eta"] = chain.options.eta;
  json["guidance_scale"] = stage.guidance_scale;
  return json;
}

nlohmann::ordered_json glide_json(const GLIDERecord& record, const GLIDEJob& job) {
  const auto& request = job.request;
  nlohmann::ordered_json json = {{"prompt", request.prompt},
                                 {"negative_prompt", request.negative_prompt},
                                 {"seed", record.seed},
                                 {"base", stage_json(request.base, job.base)}};
  if (job.clip) json["clip_guidance"] = {{"model", request.clip_model}, {"scale", request.clip_scale}};
  if (has_upsampled(record, job)) {
    json["upsample"] = stage_json(request.upsample, *job.upsample);
    json["upsample_temp"] = request.upsample_temp;
  }
  if (!record.image.empty()) json["image"] = record.image;
  if (!record.mask.empty()) json["mask"] = record.mask;
  if (record.invert_mask) json["invert_mask"] = true;
  return json;
}

/// Reads what stage_json wrote. A respacing of one count is read as steps, which every sampler takes.
GLIDEStageRequest stage_from_json(const Json& json) {
  GLIDEStageRequest stage;
  auto& chain = stage.chain;
  chain.sampler = value_at<std::string>(json, "sampler");
  chain.steps = value_or<std::int64_t>(json, "steps", 0);
  chain.respacing = value_or<std::string>(json, "respacing", "");
  const bool is_count = chain.respacing.find_first_not_of("0123456789") == std::string::npos;
  if (is_count && !chain.respacing.empty()) chain.steps = std::stoll(std::exchange(chain.respacing, ""));
  if (json.contains("eta")) chain.eta = value_at<double>(json, "eta");
  stage.guidance_scale = value_at<double>(json, "guidance_scale");
  return stage;
}

GLIDERequest glide_request_from_json(const Json& json) {
  GLIDERequest request;
  request.prompt = value_at<std::string>(json, "prompt");
  request.negative_prompt = value_or<std::string>(json, "negative_prompt", "");
  request.seed = value_at<std::uint64_t>(json, "seed");
  request.base = stage_from_json(value_at<Json>(json, "base"));
  request.upsamples = json.contains("upsample");
  if (request.upsamples) request.upsample = stage_from_json(value_at<Json>(json, "upsample"));
  request.upsample_temp = value_or(json, "upsample_temp", request.upsample_temp);
  if (json.contains("clip_guidance")) {
    const auto clip = value_at<Json>(json, "clip_guidance");
    request.clip_model = value_at<std::string>(clip, "model");
    request.clip_scale = value_at<double>(clip, "scale");
  }
  return request;
}

RecordedGLIDE recorded_from_json(const Json& json) {
  const auto glide = value_at<Json>(json, "glide");
  const auto program = value_at<std::string>(json, "program");
  RecordedGLIDE recorded{.record = {.program = program.substr(0, program.find(' ')),
                                    .model = value_at<std::string>(json, "model"),
                                    .device = value_at<std::string>(json, "device"),
                                    .dtype = value_at<std::string>(json, "dtype"),
                                    .tf32 = value_or(json, "tf32", false),
                                    .image = value_or<std::string>(glide, "image", ""),
                                    .mask = value_or<std::string>(glide, "mask", ""),
                                    .invert_mask = value_or(glide, "invert_mask", false)},
                         .request = glide_request_from_json(glide)};
  recorded.record.seed = recorded.request.seed;
  return recorded;
}

/// Returns the JSON of an image's record; null without one, and for text that is no JSON.
Json record_json(const std::filesystem::path& path) {
  for (const auto& [keyword, text] : read_image_texts(path))
    if (keyword == "sfumato") return Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return {};
}

}  // namespace

bool has_glide_record(const std::filesystem::path& path) {
  const auto json = record_json(path);
  return json.is_object() && json.contains("glide");
}

RecordedGLIDE read_glide_record(const std::filesystem::path& path) {
  const auto json = record_json(path);
  if (!json.is_object())
    throw std::runtime_error("'" + path.string() + "' holds no request of Sfumato: expected an image of GLIDE");
  if (!json.contains("glide"))
    throw std::runtime_error("'" + path.string() + "' was made by " +
                             value_or<std::string>(json, "program", "a model of Stable Diffusion") +
                             ", expected an image of a model of GLIDE, or -m with a model of that system");
  try {
    return recorded_from_json(json);
  } catch (const std::exception& error) {
    throw std::runtime_error("the request in '" + path.string() + "' is damaged: " + error_text(error));
  }
}

TextChunks to_text_chunks(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job) {
  nlohmann::ordered_json json = {{"program", record.program + " with a model of GLIDE"},
                                 {"glide", glide_json(record, job)},
                                 {"model", record.model},
                                 {"device", record.device},
                                 {"dtype", record.dtype}};
  if (record.tf32) json["tf32"] = true;
  return {{"parameters", glide_parameters(record, model, job)},
          {"sfumato", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)}};
}

}  // namespace sfumato
