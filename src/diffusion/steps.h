#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// One step of a sampler, from the noisier level to the cleaner.
struct Step {
  Level from;
  Level to;
};

/// Which of the reference's schedulers chooses the levels.
enum class StepGrid {
  ddim,          ///< DDIMScheduler: from t to t - T/n, which is not always the next timestep
  ancestral,     ///< DDPMScheduler: from each timestep to the next, and from the last to alpha = 1
  interpolated,  ///< EulerDiscreteScheduler: as ancestral, but linspace spacing keeps its real-valued timesteps
  pndm,          ///< PNDMScheduler: as ddim with the second timestep twice, at first staying where it is
  solver,        ///< DPMSolverMultistepScheduler: the first n of n + 1 timesteps, and from the last to alpha = 1
};

/// Whether the grid's levels can lie elsewhere than at the model's timesteps.
bool goes_by_sigma(StepGrid grid);

/// The n integer timesteps of `timestep_spacing` and `steps_offset`, falling (`set_timesteps`; Lin et al. 2023, table
/// 2). Throws std::invalid_argument where n is not in 1..num_train_timesteps, or where the offset pushes the first
/// one beyond the schedule. For some n (61, 103, ...) the reference's trailing spacing adds, by a rounding error in
/// numpy.arange, a timestep -1 at the end; that one is left out.
std::vector<std::int64_t> timesteps(const Schedule& schedule, std::int64_t n);

/// The steps of n inference steps. Where the config says use_karras_sigmas, the levels of `interpolated` and `solver`
/// lie as Karras et al. 2022, eq. 5, with rho = 7 has them, between the ends of the grid and of the schedule. Throws
/// as `timesteps` does.
std::vector<Step> make_steps(const Schedule& schedule, std::int64_t n, StepGrid grid);

/// What is left of n inference steps when those before the last int(n * strength) are skipped, for image-to-image
/// (`get_timesteps` of diffusers' pipelines); nothing at strength 0. Throws std::invalid_argument for a strength
/// outside [0, 1].
std::vector<Step> last_steps(const std::vector<Step>& steps, std::int64_t n, double strength);

/// The deviation of the noise that sampling starts from, in units of x_t = alpha x0 + sigma eps (`init_noise_sigma`).
double initial_noise_scale(const Schedule& schedule, const std::vector<Step>& steps, StepGrid grid);

}  // namespace sfumato
