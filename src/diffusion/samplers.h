#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "diffusion/denoiser.h"
#include "diffusion/solver_config.h"
#include "diffusion/steps.h"

namespace sfumato {

struct SamplerOptions {
  double eta = 0;                             ///< DDIM's share of DDPM's noise, 0 to 1
  std::string variance_type = "fixed_small";  ///< DDPM's; ScheduleConfig::variance_type
  std::string prediction_type = "epsilon";    ///< PNDM's; ScheduleConfig::prediction_type
  /// The steps' noise comes of a Brownian motion over this span (step_noise.h), and `noise` gives its seeds alone; for
  /// the samplers whose row has "brownian". The reference's span is that of all levels, also of those that image to
  /// image leaves out: it decides where the path is halved, and so which numbers it has.
  std::optional<RatioSpan> brownian{};
  SolverConfig solver = {};      ///< of the multistep solvers; ScheduleConfig::solver
  double timestep_scaling = 10;  ///< LCM's; ScheduleConfig::timestep_scaling
  /// LMS': levels before the first step that count as nodes, the noisiest first, though they have no slope. As
  /// LMSDiscreteScheduler has it in image to image.
  std::vector<Level> skipped_levels = {};
};

/// Callback that restores the known region of x at `level` (inpainting). Called after each step with the level that the
/// next one starts from (clean after the last), and before the second evaluation of a step (second_estimate).
using AdjustLatents = std::function<torch::Tensor(const torch::Tensor& x, const Level& level)>;

/// All that a sampler integrates with.
struct SampleArgs {
  const Denoiser& denoise;
  torch::Tensor x;                 ///< [N, C, H, W] at the first step's `from`; float32 always
  const std::vector<Step>& steps;  ///< from make_steps with the sampler's own grid, or the last of them
  NoiseSource& noise;
  SamplerOptions options;
  OnStep on_step;             ///< may be empty
  AdjustLatents adjust = {};  ///< may be empty
  std::size_t skipped = 0;    ///< how many steps of the schedule lie before the first, in image-to-image
};

using SampleFunction = torch::Tensor (*)(const SampleArgs& args);

/// A row of the table of samplers.
struct Sampler {
  std::string name;         ///< on the command line
  std::string label;        ///< in a picture's metadata, as AUTOMATIC1111's web UI writes it
  std::string description;  ///< one line
  StepGrid grid;
  SampleFunction sample;  ///< the latents after the last step, or after that whose on_step gave false
  std::size_t order = 1;  ///< evaluations a step, but one in a step that ends clean; diffusers' scheduler.order
  /// What the noise of its steps can come of, the usual first: "generator", one draw of the picture's generator after
  /// another, as diffusers' pipelines have it, or "brownian", a Brownian motion along sigma / alpha of the picture's
  /// seed, as k-diffusion and AUTOMATIC1111's web UI have it. Where diffusers has both, as dpm++2m_sde, the generator
  /// is usual; dpm++sde and dpm++3m_sde have no other reference than the Brownian motion.
  std::vector<std::string> noise = {"generator"};
};

const std::vector<Sampler>& samplers();

/// Throws std::invalid_argument naming the samplers that there are.
const Sampler& find_sampler(const std::string& name);

/// Denoising diffusion implicit models (Song et al. 2021, eq. 12 and 16). With eta > 0 noise is drawn at every step.
/// Throws std::invalid_argument for an eta outside [0, 1].
torch::Tensor sample_ddim(const SampleArgs& args);

/// DDIM backwards, from a picture's latents to the noise that DDIM at eta 0 makes nearly the same picture from (Song et
/// al. 2021, section 4.3; DDIMInverseScheduler). `x` is at the last step's `to`, the steps are StepGrid::ddim's in
/// their usual order. Not a row of the table: it begins where samplers end.
torch::Tensor invert_ddim(const SampleArgs& args);

/// Ancestral sampling of DDPM (Ho et al. 2020, eq. 6 and 7) with strides. Noise is drawn, as diffusers does, at every
/// step that does not come from timestep 0. Throws std::invalid_argument for an unknown variance_type, and where a
/// learned variance is asked for of a network that gives none.
torch::Tensor sample_ddpm(const SampleArgs& args);

/// Euler's method on dx/d(sigma/alpha) = eps (Karras et al. 2022, eq. 4; EulerDiscreteScheduler without churn). A step
/// keeps x0 and eps and changes their shares, which is DDIM's at eta 0; only the levels differ.
torch::Tensor sample_euler(const SampleArgs& args);

/// As sample_euler with fresh noise at every step (EulerAncestralDiscreteScheduler): DDIM's step at eta 1.
torch::Tensor sample_euler_ancestral(const SampleArgs& args);

/// DPM-Solver++ in its multistep form (Lu et al. 2022b, algorithm 2; DPMSolverMultistepScheduler), of the order and
/// kind that options.solver says: by default 2M, midpoint. With algorithm_type dpmsolver it is DPM-Solver, for eps,
/// which does not reach sigma = 0. The step to alpha = 1 is of first order.
torch::Tensor sample_dpm_solver_multistep(const SampleArgs& args);

/// The same at solver_order 3.
torch::Tensor sample_dpm_solver_3m(const SampleArgs& args);

/// As sample_dpm_solver_multistep with noise at every step (SDE-DPM-Solver++; algorithm_type sde-dpmsolver++ there,
/// and with SamplerOptions::brownian k-diffusion's sample_dpmpp_2m_sde).
torch::Tensor sample_dpm_solver_multistep_sde(const SampleArgs& args);

/// DPM-Solver and DPM-Solver++ in their singlestep form (Lu et al. 2022a, algorithms 1 and 2; 2022b, algorithm 1;
/// DPMSolverSinglestepScheduler), of the order and kind that options.solver says: groups of as many steps as the order,
/// each from where its group begins. One evaluation a step, as there. With algorithm_type sde-dpmsolver++ noise is
/// drawn at every step.
torch::Tensor sample_dpm_solver_singlestep(const SampleArgs& args);

/// SDE-DPM-Solver++ of third order (k-diffusion's sample_dpmpp_3m_sde): its first two steps are of first and second
/// order, that to alpha = 1 is of first.
torch::Tensor sample_dpm_solver_3m_sde(const SampleArgs& args);

/// DPM-Solver++(2S) down to a cleaner level, and back to the step's with fresh noise (Lu et al. 2022, algorithm 1;
/// k-diffusion's sample_dpmpp_2s_ancestral). Two evaluations a step, one in the last.
torch::Tensor sample_dpm_solver_2s_ancestral(const SampleArgs& args);

/// The same with noise on the way to the middle too, both of one Brownian motion (k-diffusion's sample_dpmpp_sde;
/// DPMSolverSDEScheduler): without SamplerOptions::brownian one that is drawn as the sampler goes along it.
torch::Tensor sample_dpm_solver_sde(const SampleArgs& args);

/// Heun's method (Karras et al. 2022, algorithm 1 without churn; HeunDiscreteScheduler): Euler's step, then the mean of
/// the slopes at both its ends. Two evaluations a step, one in the last.
torch::Tensor sample_heun(const SampleArgs& args);

/// Heun's method with restarts (Xu et al. 2023, algorithm 1): where a step starts noisier than the one before ended,
/// fresh noise leads up to it.
torch::Tensor sample_restart(const SampleArgs& args);

/// Pseudo linear multistep (Liu et al. 2022, algorithm 2; PNDMScheduler). Four steps that are of Runge and Kutta
/// (is_runge_kutta) are one pseudo Runge-Kutta step (eq. 13). Else, where the second step stays at its timestep, as
/// StepGrid::pndm has it, it does the first one again with the slopes at both its ends. With options.prediction_type
/// v_prediction it is v that is extrapolated, as there.
torch::Tensor sample_pndm(const SampleArgs& args);

/// The same from eps alone, without a step done again: of first order where it begins, and then of one more each step
/// up to the fourth (Zhang & Chen 2023, appendix H.3; IPNDMScheduler). It starts from alpha = 0 as from x0 = 0.
torch::Tensor sample_ipndm(const SampleArgs& args);

/// SA-Solver (Xue et al. 2023, algorithm 1; SASolverScheduler): a stochastic Adams predictor, each step of which is
/// corrected once the prediction at its end is known. Noise is drawn at every step, and counts at timesteps 200 to 800.
torch::Tensor sample_sa_solver(const SampleArgs& args);

/// UniPC (Zhao et al. 2023, algorithms 5 and 6; UniPCMultistepScheduler), of the order, B(h) and prediction that
/// options.solver says: a multistep solver, by default DPM-Solver++(2M), each step of which is corrected once x0 at its
/// end is known, at no further evaluation. For eps (predict_x0 false) it does not reach sigma = 0; the step to
/// alpha = 1 is of first order.
torch::Tensor sample_unipc(const SampleArgs& args);

/// Linear multistep of fourth order on dx/d(sigma/alpha) = eps (LMSDiscreteScheduler): each step follows the polynomial
/// through the last four slopes.
torch::Tensor sample_lms(const SampleArgs& args);

/// DPM-Solver-2 in terms of sigma / alpha (Lu et al. 2022; KDPM2DiscreteScheduler): each step goes by the slope at its
/// middle. Two evaluations a step, one in the last.
torch::Tensor sample_dpm2(const SampleArgs& args);

/// The same down to a cleaner level, and back to the step's with fresh noise (KDPM2AncestralDiscreteScheduler).
torch::Tensor sample_dpm2_ancestral(const SampleArgs& args);

/// DEIS in log rho (Zhang & Chen 2023, eq. 15; DEISMultistepScheduler), of order options.solver.solver_order. As
/// there, the last step goes to timestep 0.
torch::Tensor sample_deis(const SampleArgs& args);

/// Multistep consistency sampling (Luo et al. 2023, algorithm 3; LCMScheduler): x0, noised anew to the next level.
torch::Tensor sample_lcm(const SampleArgs& args);

/// Strategic stochastic sampling (Zheng et al. 2024, algorithm 4; TCDScheduler, whose eta is gamma): DDIM's step
/// beyond the next level, to the `middle` of StepGrid::tcd, and back to it with fresh noise.
torch::Tensor sample_tcd(const SampleArgs& args);

/// True for the samplers that can start from alpha = 0, where sigma / alpha is infinite.
bool starts_without_signal(const Sampler& sampler);

/// Throws std::invalid_argument where the first of the steps comes from alpha = 0 and the sampler cannot start there.
void check_start(const Sampler& sampler, const std::vector<Step>& steps);

/// Number of network evaluations of a sampler of this order (Sampler::order) in `steps`: `order` a step, one in a step
/// that ends clean.
std::size_t evaluation_count(const std::vector<Step>& steps, std::size_t order);

/// Second evaluation of step number `step`, at `level`, with the known region of x composited in. That region is noised
/// to the sigma / alpha of the step's end, as diffusers' schedulers do.
Estimate second_estimate(const SampleArgs& args, const torch::Tensor& x, const Level& level, std::size_t step);

/// Ends a step: calls `adjust` on x and then on_step, where they are set. False where sampling should stop.
bool report_step(const SampleArgs& args, std::size_t step, torch::Tensor& x);

}  // namespace sfumato
