#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// The n integer timesteps of `timestep_spacing` and `steps_offset`, falling (`set_timesteps`; Lin et al. 2023, table
/// 2). Throws std::invalid_argument where n is not in 1..num_train_timesteps, or where the offset pushes the first
/// one beyond the schedule. For some n (61, 103, ...) the reference's trailing spacing adds, by a rounding error in
/// numpy.arange, a timestep -1 at the end; that one is left out.
std::vector<std::int64_t> timesteps(const Schedule& schedule, std::int64_t n);

/// EulerDiscreteScheduler's: the same, but that linspace spacing keeps them real-valued, in float32.
std::vector<double> interpolated_timesteps(const Schedule& schedule, std::int64_t n);

/// DPMSolverMultistepScheduler's: the first n of n + 1, but n with trailing spacing, from what lambda_min_clipped
/// leaves. Throws std::invalid_argument also where there are no n + 1.
std::vector<double> solver_timesteps(const Schedule& schedule, std::int64_t n);

/// LCMScheduler's: n of the original_inference_steps that a consistency model was distilled with. Throws
/// std::invalid_argument where n is more than those.
std::vector<std::int64_t> consistency_timesteps(const Schedule& schedule, std::int64_t n);

}  // namespace sfumato
