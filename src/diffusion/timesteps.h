#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// Returns the n integer timesteps of `timestep_spacing` and `steps_offset`, falling (`set_timesteps`; Lin et al. 2023,
/// table 2). Throws std::invalid_argument if n is not in 1..num_train_timesteps, or if the offset pushes the first
/// one beyond the schedule. For some n (61, 103, ...) the reference's trailing spacing adds, by a rounding error in
/// numpy.arange, a timestep -1 at the end; it is omitted here.
std::vector<std::int64_t> timesteps(const Schedule& schedule, std::int64_t n);

/// Returns EulerDiscreteScheduler's timesteps: the same, but linspace spacing keeps them real-valued, in float32.
std::vector<double> interpolated_timesteps(const Schedule& schedule, std::int64_t n);

/// Returns DPMSolverMultistepScheduler's timesteps: the first n of n + 1, but n with trailing spacing, of the
/// timesteps within lambda_min_clipped. Throws std::invalid_argument also if there are no n + 1.
std::vector<double> solver_timesteps(const Schedule& schedule, std::int64_t n);

/// Returns LCMScheduler's timesteps: n of the original_inference_steps of a consistency model's distillation. Throws
/// std::invalid_argument if n is more than those.
std::vector<std::int64_t> consistency_timesteps(const Schedule& schedule, std::int64_t n);

}  // namespace sfumato
