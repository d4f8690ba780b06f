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
  double eta = 0;                             ///< DDIM's fraction of DDPM's noise, 0 to 1
  std::string variance_type = "fixed_small";  ///< DDPM's; ScheduleConfig::variance_type
  std::string prediction_type = "epsilon";    ///< PNDM's; ScheduleConfig::prediction_type
  /// Draws the steps' noise from a Brownian motion over this span (step_noise.h); `noise` only supplies seeds. Used for
  /// samplers whose row has "brownian". The reference's span is that of all levels, including those skipped in
  /// image to image: it determines where the path is halved, and so its random numbers.
  std::optional<RatioSpan> brownian{};
  SolverConfig solver = {};      ///< of the multistep solvers; ScheduleConfig::solver
  double timestep_scaling = 10;  ///< LCM's; ScheduleConfig::timestep_scaling
  /// For LMS: levels before the first step that count as nodes, noisiest first, although they have no slope, as in
  /// LMSDiscreteScheduler in image to image.
  std::vector<Level> skipped_levels = {};
};

/// Callback that restores the known region of x at `level` (inpainting). Called after each step with the start level of
/// the next one (clean after the last), and before the second evaluation of a step (second_estimate).
using AdjustLatents = std::function<torch::Tensor(const torch::Tensor& x, const Level& level)>;

/// Arguments of a sampler.
struct SampleArgs {
  const Denoiser& denoise;
  torch::Tensor x;                 ///< [N, C, H, W] at the first step's `from`; always float32
  const std::vector<Step>& steps;  ///< from make_steps with the sampler's own grid, or the last of them
  NoiseSource& noise;
  SamplerOptions options;
  OnStep on_step;             ///< may be empty
  AdjustLatents adjust = {};  ///< may be empty
  std::size_t skipped = 0;    ///< number of the schedule's steps before the first, in image to image
};

using SampleFunction = torch::Tensor (*)(const SampleArgs& args);

/// Row of the table of samplers.
struct Sampler {
  std::string name;         ///< on the command line
  std::string label;        ///< in an image's metadata, as in AUTOMATIC1111's web UI
  std::string description;  ///< one line
  StepGrid grid;
  SampleFunction sample;  ///< returns the latents after the last step, or after the one that on_step ended
  std::size_t order = 1;  ///< evaluations a step, one if it ends clean; diffusers' scheduler.order
  /// Sources of the steps' noise, default first: "generator", consecutive draws of the image's generator, as in
  /// diffusers' pipelines, or "brownian", a Brownian motion along sigma / alpha with the image's
  /// seed, as in k-diffusion and AUTOMATIC1111's web UI. If diffusers has both, as for dpm++2m_sde, the generator
  /// is the default; dpm++sde and dpm++3m_sde have no reference other than the Brownian motion.
  std::vector<std::string> noise = {"generator"};
};

const std::vector<Sampler>& samplers();

/// Throws std::invalid_argument that lists the available samplers.
const Sampler& find_sampler(const std::string& name);

/// Denoising diffusion implicit models (Song et al. 2021, eq. 12 and 16). With eta > 0, draws noise at every step.
/// Throws std::invalid_argument for an eta outside [0, 1].
torch::Tensor sample_ddim(const SampleArgs& args);

/// Inverts DDIM, from an image's latents to the noise from which DDIM at eta 0 generates nearly the same image (Song et
/// al. 2021, section 4.3; DDIMInverseScheduler). `x` is at the last step's `to`; the steps are StepGrid::ddim's in
/// their usual order. Not a row of the table: it starts at the end of other samplers.
torch::Tensor invert_ddim(const SampleArgs& args);

/// Ancestral sampling of DDPM (Ho et al. 2020, eq. 6 and 7) with strides. Draws noise, as in diffusers, at every
/// step that does not start at timestep 0. Throws std::invalid_argument for an unknown variance_type, and for a
/// learned variance with a network that does not predict one.
torch::Tensor sample_ddpm(const SampleArgs& args);

/// Euler's method on dx/d(sigma/alpha) = eps (Karras et al. 2022, eq. 4; EulerDiscreteScheduler without churn). A step
/// keeps x0 and eps and changes their shares, as DDIM does at eta 0; only the levels differ.
torch::Tensor sample_euler(const SampleArgs& args);

/// Euler's method with fresh noise at every step (EulerAncestralDiscreteScheduler): DDIM's step at eta 1.
torch::Tensor sample_euler_ancestral(const SampleArgs& args);

/// DPM-Solver++ in multistep form (Lu et al. 2022b, algorithm 2; DPMSolverMultistepScheduler), of the order and
/// kind in options.solver: by default 2M, midpoint. With algorithm_type dpmsolver it is DPM-Solver, for eps,
/// which does not reach sigma = 0. The step to alpha = 1 is of first order.
torch::Tensor sample_dpm_solver_multistep(const SampleArgs& args);

/// sample_dpm_solver_multistep at solver_order 3.
torch::Tensor sample_dpm_solver_3m(const SampleArgs& args);

/// sample_dpm_solver_multistep with noise at every step (SDE-DPM-Solver++; diffusers' algorithm_type sde-dpmsolver++,
/// and with SamplerOptions::brownian k-diffusion's sample_dpmpp_2m_sde).
torch::Tensor sample_dpm_solver_multistep_sde(const SampleArgs& args);

/// DPM-Solver and DPM-Solver++ in singlestep form (Lu et al. 2022a, algorithms 1 and 2; 2022b, algorithm 1;
/// DPMSolverSinglestepScheduler), of the order and kind in options.solver: groups of as many steps as the order,
/// each from the start of its group. One evaluation a step, as there. With algorithm_type sde-dpmsolver++, draws noise
/// at every step.
torch::Tensor sample_dpm_solver_singlestep(const SampleArgs& args);

/// SDE-DPM-Solver++ of third order (k-diffusion's sample_dpmpp_3m_sde). The first two steps are of first and second
/// order, the one to alpha = 1 is of first.
torch::Tensor sample_dpm_solver_3m_sde(const SampleArgs& args);

/// DPM-Solver++(2S) down to a cleaner level, then back to the step's with fresh noise (Lu et al. 2022, algorithm 1;
/// k-diffusion's sample_dpmpp_2s_ancestral). Two evaluations a step, one in the last.
torch::Tensor sample_dpm_solver_2s_ancestral(const SampleArgs& args);

/// The same, with noise also up to the middle, both from one Brownian motion (k-diffusion's sample_dpmpp_sde;
/// DPMSolverSDEScheduler). Without SamplerOptions::brownian, the motion is drawn during sampling.
torch::Tensor sample_dpm_solver_sde(const SampleArgs& args);

/// Heun's method (Karras et al. 2022, algorithm 1 without churn; HeunDiscreteScheduler): Euler's step, then the mean of
/// the slopes at both its ends. Two evaluations a step, one in the last.
torch::Tensor sample_heun(const SampleArgs& args);

/// Heun's method with restarts (Xu et al. 2023, algorithm 1): for a step that starts noisier than the previous end,
/// fresh noise is added first.
torch::Tensor sample_restart(const SampleArgs& args);

/// Pseudo linear multistep (Liu et al. 2022, algorithm 2; PNDMScheduler). Four Runge-Kutta steps (is_runge_kutta) form
/// one pseudo Runge-Kutta step (eq. 13). Otherwise, if the second step has zero length, as in
/// StepGrid::pndm, it repeats the first one with the slopes at both its ends. With options.prediction_type
/// v_prediction, v is extrapolated, as there.
torch::Tensor sample_pndm(const SampleArgs& args);

/// The same from eps alone, without a repeated step: of first order at the start, then of one order more in each step
/// up to the fourth (Zhang & Chen 2023, appendix H.3; IPNDMScheduler). At alpha = 0 it starts as from x0 = 0.
torch::Tensor sample_ipndm(const SampleArgs& args);

/// SA-Solver (Xue et al. 2023, algorithm 1; SASolverScheduler): a stochastic Adams predictor; each step is
/// corrected by the prediction at its end. Draws noise at every step, which has an effect at timesteps 200 to 800.
torch::Tensor sample_sa_solver(const SampleArgs& args);

/// UniPC (Zhao et al. 2023, algorithms 5 and 6; UniPCMultistepScheduler), of the order, B(h) and prediction in
/// options.solver: a multistep solver, by default DPM-Solver++(2M). Each step is corrected by the x0 at its
/// end, without a further evaluation. For eps (predict_x0 false) it does not reach sigma = 0; the step to
/// alpha = 1 is of first order.
torch::Tensor sample_unipc(const SampleArgs& args);

/// Linear multistep of fourth order on dx/d(sigma/alpha) = eps (LMSDiscreteScheduler): integrates the polynomial
/// through the last four slopes.
torch::Tensor sample_lms(const SampleArgs& args);

/// DPM-Solver-2 in terms of sigma / alpha (Lu et al. 2022; KDPM2DiscreteScheduler): each step uses the slope at its
/// middle. Two evaluations a step, one in the last.
torch::Tensor sample_dpm2(const SampleArgs& args);

/// The same down to a cleaner level, then back to the step's with fresh noise (KDPM2AncestralDiscreteScheduler).
torch::Tensor sample_dpm2_ancestral(const SampleArgs& args);

/// DEIS in log rho (Zhang & Chen 2023, eq. 15; DEISMultistepScheduler), of order options.solver.solver_order. As in
/// diffusers, the last step ends at timestep 0.
torch::Tensor sample_deis(const SampleArgs& args);

/// Multistep consistency sampling (Luo et al. 2023, algorithm 3; LCMScheduler): x0, renoised to the next level.
torch::Tensor sample_lcm(const SampleArgs& args);

/// Strategic stochastic sampling (Zheng et al. 2024, algorithm 4; TCDScheduler, whose eta is gamma): DDIM's step
/// beyond the next level, to the `middle` of StepGrid::tcd, and back to it with fresh noise.
torch::Tensor sample_tcd(const SampleArgs& args);

/// True for samplers that can start at alpha = 0, where sigma / alpha is infinite.
bool starts_without_signal(const Sampler& sampler);

/// Throws std::invalid_argument if the first step starts at alpha = 0 and the sampler cannot start there.
void check_start(const Sampler& sampler, const std::vector<Step>& steps);

/// Returns the number of network evaluations of a sampler of this order (Sampler::order) in `steps`: `order` a step,
/// one in a step that ends clean.
std::size_t evaluation_count(const std::vector<Step>& steps, std::size_t order);

/// Evaluates step number `step` a second time, at `level`, with the known region of x composited in. That region is
/// noised to the sigma / alpha of the step's end, as in diffusers' schedulers.
Estimate second_estimate(const SampleArgs& args, const torch::Tensor& x, const Level& level, std::size_t step);

/// Ends a step: calls `adjust` on x and then on_step, if they are set. Returns false to stop sampling.
bool report_step(const SampleArgs& args, std::size_t step, torch::Tensor& x);

}  // namespace sfumato
