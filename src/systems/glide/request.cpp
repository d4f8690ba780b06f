#include "systems/glide/request.h"

#include <algorithm>
#include <stdexcept>

#include "core/number_text.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

// From the released code: 100 timesteps of the base model, and 27 selected ones of the upsampler.
constexpr std::int64_t kBaseSteps = 100, kUpsampleSteps = 27;
constexpr const char* kUpsampleRespacing = "fast27";

std::string base_respacing(const GLIDEStage& stage) {
  return std::to_string(std::min(kBaseSteps, stage.schedule.num_train_timesteps()));
}

/// Returns the upsampler's respacing: a section of fast27 keeps 10 timesteps of a fifth of the process.
std::string upsample_respacing(const GLIDEStage& stage) {
  const auto all = stage.schedule.num_train_timesteps();
  return all >= 50 ? kUpsampleRespacing : std::to_string(std::min(kUpsampleSteps, all));
}

/// Replaces unset options by the stage's own.
ChainOptions settled_options(const GLIDEStage& stage, ChainOptions options, const std::string& respacing) {
  if (options.sampler.empty()) options.sampler = stage.process().default_sampler;
  if (options.sampler == "ddpm" && options.variance.empty()) options.variance = "learned_range";
  const bool is_respaced = options.sampler == "ddpm" || options.sampler == "ddim";
  if (!is_respaced || !options.respacing.empty()) return options;
  options.respacing = options.steps > 0 ? std::to_string(options.steps) : respacing;
  options.steps = 0;
  return options;
}

[[noreturn]] void refuse_request(const std::string& what, double value, const std::string& expected) {
  throw std::invalid_argument(what + " is " + number_text(value) + ", expected " + expected);
}

void validate_request(const GLIDERequest& request) {
  constexpr std::int64_t kMostImages = 1000;
  if (request.batch_count < 1 || request.batch_count > kMostImages)
    refuse_request("batch count", static_cast<double>(request.batch_count), "1 to " + std::to_string(kMostImages));
  for (const auto scale : {request.base.guidance_scale, request.upsample.guidance_scale})
    if (!(scale >= 1)) refuse_request("guidance scale", scale, "1 or more");
  if (!(request.clip_scale >= 0)) refuse_request("clip guidance", request.clip_scale, "0 or more");
  if (!(request.upsample_temp > 0)) refuse_request("upsample temp", request.upsample_temp, "more than 0");
}

}  // namespace

GLIDEJob resolve(const GLIDE& model, const GLIDERequest& request, const std::shared_ptr<const CLIP>& clip) {
  validate_request(request);
  if ((request.clip_scale > 0) != (clip != nullptr))
    refuse_request("clip guidance", request.clip_scale,
                   clip ? "more than 0 with a clip model" : "a clip model with it");
  if (clip) check_clip(*clip, guided_space(model, model.base));
  auto settled = request;
  auto& base = settled.base.chain;
  base = settled_options(model.base, base, base_respacing(model.base));
  GLIDEJob job{
      .request = settled, .base = make_chain(model.base.process(), base), .upsample = std::nullopt, .clip = clip};
  if (!model.upsampler || !request.upsamples) return job;
  auto& upsample = job.request.upsample.chain;
  upsample = settled_options(*model.upsampler, upsample, upsample_respacing(*model.upsampler));
  job.upsample = make_chain(model.upsampler->process(), upsample);
  return job;
}

}  // namespace sfumato
