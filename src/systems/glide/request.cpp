#include "systems/glide/request.h"

#include <algorithm>
#include <stdexcept>

#include "core/number_text.h"
#include "diffusion/prediction.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

// From the released code: 100 timesteps of the base model, and 27 selected ones of the upsampler.
constexpr std::int64_t kBaseSteps = 100, kUpsampleSteps = 27;
constexpr const char* kUpsampleRespacing = "fast27";

/// A stage's default number of steps, and the timesteps that the released code keeps for it.
struct DefaultSteps {
  std::int64_t count;
  std::string respacing;
};

DefaultSteps base_steps(const GLIDEStage& stage) {
  const auto count = std::min(kBaseSteps, stage.schedule.num_train_timesteps());
  return {count, std::to_string(count)};
}

/// Respacing by fast27 keeps 10 timesteps of a fifth of the process.
DefaultSteps upsample_steps(const GLIDEStage& stage) {
  const auto all = stage.schedule.num_train_timesteps(), count = std::min(kUpsampleSteps, all);
  return {count, all >= 50 ? kUpsampleRespacing : std::to_string(count)};
}

/// Replaces unset options by the stage's own. Respacing includes the last timestep. A stage that clips no x0, one of
/// latents, cannot start there (make_chain), and keeps the timesteps of its schedule's timestep_spacing instead.
ChainOptions settled_options(const GLIDEStage& stage, ChainOptions options, const DefaultSteps& steps) {
  if (options.sampler.empty()) options.sampler = stage.process().default_sampler;
  if (options.sampler == "ddpm" && options.variance.empty()) options.variance = "learned_range";
  const bool takes_any_timesteps = options.sampler == "ddpm" || options.sampler == "ddim";
  if (!takes_any_timesteps || !options.respacing.empty()) return options;
  if (Prediction::of(stage.schedule.config()).threshold.limits()) {
    options.respacing = options.steps > 0 ? std::to_string(options.steps) : steps.respacing;
    options.steps = 0;
  } else if (options.steps == 0) {
    options.steps = steps.count;
  }
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
  base = settled_options(model.base, base, base_steps(model.base));
  GLIDEJob job{
      .request = settled, .base = make_chain(model.base.process(), base), .upsample = std::nullopt, .clip = clip};
  if (!model.upsampler || !request.upsamples) return job;
  auto& upsample = job.request.upsample.chain;
  upsample = settled_options(*model.upsampler, upsample, upsample_steps(*model.upsampler));
  job.upsample = make_chain(model.upsampler->process(), upsample);
  return job;
}

}  // namespace sfumato
