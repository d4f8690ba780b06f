#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/samplers.h"
#include "systems/stable_diffusion/attachments.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Height and width of an image in pixels.
struct ImageSize {
  std::int64_t height = 0, width = 0;
};

/// A request resolved against a model, once: every choice that it leaves open is made, and every name in it is looked
/// up. The pipelines' functions read their part of it.
struct Job {
  const StableDiffusion& model;
  Request request;  ///< complete and valid
  const Sampler& sampler;
  Schedule schedule;
  Prediction prediction;
  GuidanceOptions guidance;
  Attachments attachments;
  OnStep on_step;

  /// Steps of `count` inference steps on the sampler's grid.
  std::vector<Step> steps(std::int64_t count) const { return make_steps(schedule, count, sampler.grid); }
  std::vector<Step> steps() const { return steps(request.steps); }
  /// The last steps of `count` inference steps, with which image to image begins, as the request's multistep_start has
  /// them.
  std::vector<Step> begun(const std::vector<Step>& steps, std::int64_t count) const;
};

/// Limits of a model together with those of the attachments that read the same prompts.
ModelLimits limits_of(const StableDiffusion& model, const Attachments& attachments);

/// The model's noise schedule with the request's sigma schedule; align_your_steps is that of the model's family.
Schedule schedule_of(const StableDiffusion& model, const Request& request);

/// Resolves a request; `size` is that of an image where the request leaves it open. Throws std::invalid_argument for a
/// request that does not validate.
Job resolve(const StableDiffusion& model, const Request& request, ImageSize size, const Attachments& attachments,
            const OnStep& on_step);

/// The job at another size and seed-for-seed the same otherwise. Throws std::invalid_argument for a size that does not
/// validate.
Job resized(const Job& job, ImageSize size);

/// The job's part for its refiner: prompts and guidance are the same, ControlNets are the base's alone.
Job job_of_refiner(const Job& job);

/// True where the job's classifier-free guidance needs the negative prompt. A network distilled with guidance (LCM)
/// receives the scale instead.
bool is_guided(const Job& job);

}  // namespace sfumato
