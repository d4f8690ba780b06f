#include "systems/stable_diffusion/job.h"

#include <algorithm>

#include "diffusion/pndm_steps.h"

namespace sfumato {
namespace {

Request completed(const StableDiffusion& model, Request request, ImageSize size) {
  if (request.height == 0) request.height = size.height;
  if (request.width == 0) request.width = size.width;
  if (request.sampler.empty()) request.sampler = model.default_sampler();
  const auto& sampler = find_sampler(request.sampler);
  if (request.eta == Request::kOwnEta) request.eta = sampler.name == "tcd" ? ScheduleConfig().gamma : 0;
  if (request.schedule.empty())
    request.schedule = goes_by_sigma(sampler.grid) ? model.schedule.config().sigma_schedule : "discrete";
  // A record contains the noise only if there is a choice.
  if (request.noise.empty() && sampler.noise.size() > 1) request.noise = sampler.noise.front();
  if (request.prompt_syntax.empty()) request.prompt_syntax = model.default_prompt_syntax();
  return request;
}

Prediction prediction_of(const StableDiffusion& model, const Request& request) {
  auto prediction = Prediction::of(model.schedule.config());
  if (request.dynamic_threshold > 0) {
    prediction.threshold.dynamic_ratio = request.dynamic_threshold;
    prediction.threshold.dynamic_max = request.dynamic_threshold_max;
  }
  return prediction;
}

bool is_guided(const StableDiffusion& model, const Request& request) {
  return (request.guidance == "cfg++" || sfumato::is_guided(request.guidance_scale)) &&
         model.unet->config().time_cond_proj_dim == 0;
}

GuidanceOptions guidance_of(const StableDiffusion& model, const Request& request) {
  return {.scale = is_guided(model, request) ? request.guidance_scale : 1,
          .rescale = request.guidance_rescale,
          .image_scale = request.image_guidance_scale,
          .plus_plus = request.guidance == "cfg++",
          .perturbed_attention = {.scale = request.pag_scale, .adaptive_scale = request.pag_adaptive_scale},
          .self_attention_scale = request.sag_scale,
          .start = request.guidance_start,
          .end = request.guidance_end};
}

Job resolved(const StableDiffusion& model, const Request& request, const Attachments& attachments,
             const OnStep& on_step) {
  return {.model = model,
          .request = request,
          .sampler = find_sampler(request.sampler),
          .schedule = schedule_of(model, request),
          .prediction = prediction_of(model, request),
          .guidance = guidance_of(model, request),
          .attachments = attachments,
          .on_step = on_step};
}

}  // namespace

std::vector<Step> Job::begun(const std::vector<Step>& steps, std::int64_t count) const {
  const bool counts_anew = request.multistep_start == "diffusers" && sampler.grid == StepGrid::pndm;
  return counts_anew ? pndm_counted_anew(schedule, steps, count) : steps;
}

ModelLimits limits_of(const StableDiffusion& model, const Attachments& attachments) {
  auto limits = model.limits();
  if (const auto& refiner = attachments.refiner)
    limits.clip_layers = std::min(limits.clip_layers, refiner->clip_layers());
  limits.noised_clip = attachments.clip && attachments.clip->schedule;
  return limits;
}

Schedule schedule_of(const StableDiffusion& model, const Request& request) {
  auto config = model.schedule.config();
  // A continuous process has no timesteps of its own to return to.
  if (request.schedule != "discrete" || !model.schedule.continuous()) config.sigma_schedule = request.schedule;
  if (request.eta != Request::kOwnEta) config.gamma = request.eta;
  if (model.is_xl() && request.schedule == "align_your_steps") config.sigma_schedule = "align_your_steps_xl";
  return Schedule(config);
}

Job resolve(const StableDiffusion& model, const Request& request, ImageSize size, const Attachments& attachments,
            const OnStep& on_step) {
  const auto complete = completed(model, request, size);
  validate(complete, limits_of(model, attachments));
  return resolved(model, complete, attachments, on_step);
}

Job resized(const Job& job, ImageSize size) {
  auto result = job;
  result.request.height = size.height;
  result.request.width = size.width;
  validate(result.request, limits_of(job.model, job.attachments));
  return result;
}

Job job_of_refiner(const Job& job) {
  auto request = job.request;
  request.controls.clear();
  return resolved(*job.attachments.refiner, request, {}, {});
}

bool is_guided(const Job& job) {
  return is_guided(job.model, job.request);
}

}  // namespace sfumato
