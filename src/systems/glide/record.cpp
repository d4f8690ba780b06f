#include "systems/glide/record.h"

#include <filesystem>

#include "core/json.h"
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
  return json;
}

}  // namespace

TextChunks to_text_chunks(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job) {
  const nlohmann::ordered_json json = {{"program", record.program + " with a model of GLIDE"},
                                       {"glide", glide_json(record, job)},
                                       {"model", record.model},
                                       {"device", record.device},
                                       {"dtype", record.dtype}};
  return {{"parameters", glide_parameters(record, model, job)},
          {"sfumato", json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)}};
}

}  // namespace sfumato
