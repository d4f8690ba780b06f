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

/// A request resolved against a model: every open choice is made, and every name is looked up, once. Each function of
/// the pipelines reads its part.
struct Job {
  const StableDiffusion& model;
  Request request;  ///< complete and valid
  const Sampler& sampler;
  Schedule schedule;
  Prediction prediction;
  GuidanceOptions guidance;
  Attachments attachments;
  OnStep on_step;

  /// Returns the steps of `count` inference steps on the sampler's grid.
  std::vector<Step> steps(std::int64_t count) const { return make_steps(schedule, count, sampler.grid); }
  std::vector<Step> steps() const { return steps(request.steps); }
  /// Returns the last steps of `count` inference steps, with which image to image begins, according to the request's
  /// multistep_start.
  std::vector<Step> begun(const std::vector<Step>& steps, std::int64_t count) const;
};

/// Returns the limits of a model together with those of its attachments.
ModelLimits limits_of(const StableDiffusion& model, const Attachments& attachments);

/// Returns the model's noise schedule with the request's sigma schedule; align_your_steps is that of its family.
Schedule schedule_of(const StableDiffusion& model, const Request& request);

/// Resolves a request; `size` is an image's size, used if the request leaves it open. Throws std::invalid_argument for
/// an invalid request.
Job resolve(const StableDiffusion& model, const Request& request, ImageSize size, const Attachments& attachments,
            const OnStep& on_step);

/// Returns the job at another size, otherwise identical, seeds included. Throws std::invalid_argument for an invalid
/// size.
Job resized(const Job& job, ImageSize size);

/// Returns the job's part for its refiner: with the same prompts and guidance, but without ControlNets.
Job job_of_refiner(const Job& job);

/// True if the job's classifier-free guidance uses the negative prompt. A network distilled with guidance (LCM)
/// receives the scale instead.
bool is_guided(const Job& job);

}  // namespace sfumato
