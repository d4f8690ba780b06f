#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/steps.h"

namespace sfumato {

/// Returns StepGrid::pndm of a process of betas, from the steps of StepGrid::ddim.
std::vector<Step> pndm_steps(const Schedule& schedule, std::vector<Step> ddim);

/// Returns the last steps of StepGrid::pndm, of n inference steps, as PNDMScheduler does in image to image. It counts
/// from their first: the second repeats the first, whatever its timestep. Throws std::invalid_argument with
/// Runge-Kutta steps.
std::vector<Step> pndm_counted_anew(const Schedule& schedule, const std::vector<Step>& steps, std::int64_t n);

}  // namespace sfumato
