#include "diffusion/samplers.h"

#include <algorithm>
#include <stdexcept>

namespace sfumato {

const std::vector<Sampler>& samplers() {
  static const std::vector<std::string> generator_first = {"generator", "brownian"},
                                        brownian_first = {"brownian", "generator"};
  static const std::vector<Sampler> table = {
      {"ddim", "DDIM", "DDIM: deterministic at eta 0; good from 20 steps", StepGrid::ddim, sample_ddim},
      {"ddpm", "DDPM", "DDPM: fresh noise at each step; wants 100 steps and more", StepGrid::ancestral, sample_ddpm},
      {"euler", "Euler", "Euler: deterministic; good from 20 steps", StepGrid::interpolated, sample_euler},
      {"euler_a", "Euler a", "Euler ancestral: fresh noise at each step", StepGrid::interpolated,
       sample_euler_ancestral},
      {"dpm++2m", "DPM++ 2M", "DPM-Solver++ of second order: deterministic; good from 15 steps", StepGrid::solver,
       sample_dpm_solver_multistep},
      {"dpm++2m_sde", "DPM++ 2M SDE", "the same with fresh noise at each step", StepGrid::solver,
       sample_dpm_solver_multistep_sde, 1, generator_first},
      {"dpm++2s", "DPM++ 2S", "of second order in single steps: deterministic; good from 20 steps",
       StepGrid::singlestep, sample_dpm_solver_singlestep},
      {"dpm++3m", "DPM++ 3M", "of third order: deterministic; good from 15 steps", StepGrid::solver,
       sample_dpm_solver_3m},
      {"dpm++3m_sde", "DPM++ 3M SDE", "of third order, with fresh noise at each step; good from 30 steps",
       StepGrid::interpolated, sample_dpm_solver_3m_sde, 1, brownian_first},
      {"dpm++2s_a", "DPM++ 2S a", "DPM-Solver++ in single steps, ancestral: two evaluations a step",
       StepGrid::interpolated, sample_dpm_solver_2s_ancestral, 2},
      {"dpm++sde", "DPM++ SDE", "DPM-Solver++ in single steps with fresh noise: two evaluations a step",
       StepGrid::midpoint, sample_dpm_solver_sde, 2, brownian_first},
      {"dpm2", "DPM2", "DPM-Solver of second order: deterministic, two evaluations a step", StepGrid::kdpm2,
       sample_dpm2, 2},
      {"dpm2_a", "DPM2 a", "the same, ancestral: fresh noise at each step", StepGrid::kdpm2_ancestral,
       sample_dpm2_ancestral, 2},
      {"lms", "LMS",
       "linear multistep of fourth order: deterministic; good from 20 steps; image to image other than diffusers "
       "(docs/samplers.md)",
       StepGrid::interpolated, sample_lms},
      {"deis", "DEIS", "exponential integrator of second order: deterministic; good from 15 steps", StepGrid::deis,
       sample_deis},
      {"heun", "Heun", "Heun: deterministic, two evaluations a step; good from 10 steps", StepGrid::interpolated,
       sample_heun, 2},
      {"pndm", "PLMS",
       "PNDM: deterministic, one evaluation more than steps; image to image other than diffusers (docs/samplers.md)",
       StepGrid::pndm, sample_pndm},
      {"ipndm", "IPNDM", "PNDM without its second evaluation; good from 20 steps", StepGrid::ancestral, sample_ipndm},
      {"restart", "Restart", "Heun with returns to noise on the way: half as many steps more; good from 15 steps",
       StepGrid::restart, sample_restart, 2},
      {"unipc", "UniPC", "UniPC: deterministic; good from 10 steps", StepGrid::unipc, sample_unipc},
      {"sa_solver", "SA Solver", "SA-Solver: fresh noise in the middle of the way; good from 15 steps", StepGrid::deis,
       sample_sa_solver},
      {"lcm", "LCM", "for latent consistency models alone: 1 to 8 steps", StepGrid::lcm, sample_lcm},
      {"tcd", "TCD", "for models of trajectory consistency distillation alone: 2 to 20 steps", StepGrid::tcd,
       sample_tcd},
  };
  return table;
}

const Sampler& find_sampler(const std::string& name) {
  std::string known;
  for (const auto& sampler : samplers()) {
    if (sampler.name == name) return sampler;
    known += (known.empty() ? "" : ", ") + sampler.name;
  }
  throw std::invalid_argument("sampler is '" + name + "', expected one of " + known);
}

bool starts_without_signal(const Sampler& sampler) {
  static const std::vector<SampleFunction> able = {sample_ddim, sample_euler, sample_euler_ancestral,
                                                   sample_ddpm, sample_ipndm, sample_lcm};
  return std::find(able.begin(), able.end(), sampler.sample) != able.end();
}

void check_start(const Sampler& sampler, const std::vector<Step>& steps) {
  if (steps.empty() || steps.front().from.alpha > 0 || starts_without_signal(sampler)) return;
  std::string able;
  for (const auto& row : samplers())
    if (starts_without_signal(row)) able += (able.empty() ? "" : ", ") + row.name;
  throw std::invalid_argument("sampler is '" + sampler.name + "', expected one of " + able +
                              " with this model, which starts from noise alone (alpha = 0)");
}

Estimate second_estimate(const SampleArgs& args, const torch::Tensor& x, const Level& level, std::size_t step) {
  const Evaluation evaluation{level, step, 2 * step + 1};
  if (!args.adjust) return args.denoise(x, evaluation);
  return args.denoise(args.adjust(x, {level.t, level.alpha, level.alpha * args.steps[step].to.ratio()}), evaluation);
}

std::size_t evaluation_count(const std::vector<Step>& steps, std::size_t order) {
  std::size_t count = 0;
  for (const auto& step : steps) count += step.to.sigma > 0 ? order : 1;
  return count;
}

bool report_step(const SampleArgs& args, std::size_t step, torch::Tensor& x) {
  const bool is_last = step + 1 == args.steps.size();
  if (args.adjust) x = args.adjust(x, is_last ? Level() : args.steps[step + 1].from);
  return !args.on_step || args.on_step(static_cast<int>(step), static_cast<int>(args.steps.size()), x);
}

}  // namespace sfumato
