#pragma once

#include <cstdint>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// Step of a sampler, from a noisier level to a cleaner one.
struct Step {
  Level from;
  Level to;
  Level middle{};  ///< intermediate level of the sampler, on grids that have one, unless `to` is clean
};

/// True for a zero-length step, which evaluates the network without moving x (StepGrid::pndm).
bool stays(const Step& step);

/// True if a step ends at its initial sigma / alpha, up to rounding, like the last one after Karras' levels
/// with final_sigmas_type sigma_min: only the scale of x changes.
bool keeps_ratio(const Step& step);

/// Smallest sigma / alpha above 0 and largest one of some steps.
struct RatioSpan {
  double least = 0, largest = 0;
};

RatioSpan ratio_span(const std::vector<Step>& steps);

/// Scheduler of the reference that determines the levels. A continuous process has its own levels, on every grid.
enum class StepGrid {
  ddim,             ///< DDIMScheduler: from t to t - T/n, which is not always the next timestep
  ancestral,        ///< DDPMScheduler: from each timestep to the next, and from the last to alpha = 1
  interpolated,     ///< EulerDiscreteScheduler: as ancestral, but linspace spacing keeps its real-valued timesteps
  midpoint,         ///< DPMSolverSDEScheduler: as interpolated; the middle is the geometric mean of both sigma / alpha
  kdpm2,            ///< KDPM2DiscreteScheduler: as midpoint, but Karras' levels get whole timesteps
  kdpm2_ancestral,  ///< KDPM2AncestralDiscreteScheduler: as kdpm2; the middle has the sigma / alpha of `to`
  restart,          ///< the paper's (restart.h), around the levels of interpolated: some steps go back up
  pndm,             ///< PNDMScheduler: as ddim with the second timestep twice. The first of them has zero length, and
                    ///< its middle is a stride above; or, if skip_prk_steps is false, with the first three steps in
                    ///< four steps each (is_runge_kutta)
  solver,           ///< DPMSolverMultistepScheduler: the first n of n + 1 timesteps, and from the last to alpha = 1
  unipc,            ///< UniPCMultistepScheduler: as solver, but for the rounding of timesteps
  singlestep,       ///< DPMSolverSinglestepScheduler: as solver with linspace spacing, whatever the config's
  deis,             ///< DEISMultistepScheduler, SASolverScheduler: as solver, but ending at timestep 0
  lcm,              ///< LCMScheduler: consistency_timesteps, and from the last to alpha = 1
  tcd,              ///< TCDScheduler: as lcm, ending at timestep 0; the middle is its x_s
};

/// True if the grid's levels can differ from those of the model's timesteps.
bool goes_by_sigma(StepGrid grid);

/// True for the grid of a solver in log(alpha / sigma), whose scheduler keeps x_t = alpha x0 + sigma eps; the
/// others that use sigma keep x0 + (sigma / alpha) eps.
bool is_solver(StepGrid grid);

/// Returns the steps of n inference steps. On a grid that uses sigma, the config's sigma_schedule spaces them
/// between the ends of the grid (solvers: of the schedule). They end at timestep 0 instead of alpha = 1 if its
/// final_sigmas_type is sigma_min or its levels are log_linear. Schedulers that keep x0 + (sigma / alpha) eps leave
/// that unscaled (alpha = 1). Throws as the functions of timesteps.h do.
std::vector<Step> make_steps(const Schedule& schedule, std::int64_t n, StepGrid grid);

/// True if the four steps from this one are the evaluations of a Runge-Kutta step (PNDMScheduler's prk_timesteps):
/// they lead to the middle, nowhere, to the end and nowhere, each from the start of the first one.
bool is_runge_kutta(const std::vector<Step>& steps, std::size_t first);

/// Returns `steps` without the first `skipped`, where a Runge-Kutta step counts once. Omits restarts from noisier
/// levels than the first that remains.
std::vector<Step> without_first(const std::vector<Step>& steps, std::int64_t skipped);

/// Returns the rest of n inference steps after those before the last int(n * strength) are skipped, for image to image
/// (`get_timesteps` of diffusers' pipelines), without restarts from levels noisier than the first; nothing at strength
/// 0. Throws std::invalid_argument for a strength outside [0, 1].
std::vector<Step> last_steps(const std::vector<Step>& steps, std::int64_t n, double strength);

/// Returns the standard deviation of the initial noise of sampling, in units of x_t = alpha x0 + sigma eps
/// (`init_noise_sigma`).
double initial_noise_scale(const Schedule& schedule, const std::vector<Step>& steps, StepGrid grid);

}  // namespace sfumato
