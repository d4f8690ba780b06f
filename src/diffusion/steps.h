#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// One step of a sampler, from the noisier level to the cleaner.
struct Step {
  Level from;
  Level to;
  Level middle{};  ///< where the sampler stops on its way, for the grids that say so, unless `to` is clean
};

/// Whether a step ends where it begins: an evaluation alone (StepGrid::pndm).
bool stays(const Step& step);

/// Whether a step ends at the sigma / alpha that it begins at, up to rounding, as the last one after Karras' levels
/// with final_sigmas_type sigma_min: x changes its scale alone.
bool keeps_ratio(const Step& step);

/// The least sigma / alpha above 0 and the largest of some steps.
struct RatioSpan {
  double least = 0, largest = 0;
};

RatioSpan ratio_span(const std::vector<Step>& steps);

/// Which of the reference's schedulers chooses the levels. A continuous process has levels of its own, on every grid.
enum class StepGrid {
  ddim,             ///< DDIMScheduler: from t to t - T/n, which is not always the next timestep
  ancestral,        ///< DDPMScheduler: from each timestep to the next, and from the last to alpha = 1
  interpolated,     ///< EulerDiscreteScheduler: as ancestral, but linspace spacing keeps its real-valued timesteps
  midpoint,         ///< DPMSolverSDEScheduler: as interpolated; the middle is the geometric mean of both sigma / alpha
  kdpm2,            ///< KDPM2DiscreteScheduler: as midpoint, but Karras' levels get whole timesteps
  kdpm2_ancestral,  ///< KDPM2AncestralDiscreteScheduler: as kdpm2; the middle has the sigma / alpha of `to`
  restart,          ///< the paper's (restart.h), around the levels of interpolated: some of its steps go back up
  pndm,             ///< PNDMScheduler: as ddim with the second timestep twice, at first staying where it is, which its
                    ///< middle is a stride above; or, where skip_prk_steps is false, with the first three in four
                    ///< steps each (is_runge_kutta)
  solver,           ///< DPMSolverMultistepScheduler: the first n of n + 1 timesteps, and from the last to alpha = 1
  unipc,            ///< UniPCMultistepScheduler: as solver, but for the rounding of timesteps
  singlestep,       ///< DPMSolverSinglestepScheduler: as solver with linspace spacing, whatever the config's
  deis,             ///< DEISMultistepScheduler, SASolverScheduler: as solver, but ending at timestep 0
  lcm,              ///< LCMScheduler: consistency_timesteps, and from the last to alpha = 1
  tcd,              ///< TCDScheduler: as lcm, ending at timestep 0; the middle is its x_s
};

/// Whether the grid's levels can lie elsewhere than at the model's timesteps.
bool goes_by_sigma(StepGrid grid);

/// Whether the grid is that of a solver in log(alpha / sigma), whose scheduler keeps x_t = alpha x0 + sigma eps; the
/// others that go by sigma keep x0 + (sigma / alpha) eps.
bool is_solver(StepGrid grid);

/// The steps of n inference steps. Those of a grid that goes by sigma lie as the config's sigma_schedule has them,
/// between the ends of the grid (solvers: of the schedule). They end at timestep 0 in place of alpha = 1 where its
/// final_sigmas_type is sigma_min or its levels are log_linear; the schedulers that keep x0 + (sigma / alpha) eps leave
/// that as it is (alpha = 1). Throws as the functions of timesteps.h do.
std::vector<Step> make_steps(const Schedule& schedule, std::int64_t n, StepGrid grid);

/// Whether the four steps from this one are the evaluations of one of Runge and Kutta (PNDMScheduler's prk_timesteps):
/// they lead to the middle, nowhere, to the end and nowhere, each from where the first one comes from.
bool is_runge_kutta(const std::vector<Step>& steps, std::size_t first);

/// `steps` without the first `skipped`, one of Runge and Kutta counted once, and without restarts from noisier levels
/// than the first that is left.
std::vector<Step> without_first(const std::vector<Step>& steps, std::int64_t skipped);

/// What is left of n inference steps when those before the last int(n * strength) are skipped, for image-to-image
/// (`get_timesteps` of diffusers' pipelines), without restarts from noisier levels than the first; nothing at strength
/// 0. Throws std::invalid_argument for a strength outside [0, 1].
std::vector<Step> last_steps(const std::vector<Step>& steps, std::int64_t n, double strength);

/// Standard deviation of the noise that sampling starts from, in units of x_t = alpha x0 + sigma eps
/// (`init_noise_sigma`).
double initial_noise_scale(const Schedule& schedule, const std::vector<Step>& steps, StepGrid grid);

}  // namespace sfumato
