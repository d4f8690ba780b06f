#include "diffusion/samplers.h"

#include <stdexcept>

namespace sfumato {

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> table = {
      {"ddim", "DDIM", "DDIM: deterministic at eta 0; good from 20 steps", StepGrid::ddim, sample_ddim},
      {"ddpm", "DDPM", "DDPM: fresh noise at each step; wants 100 steps and more", StepGrid::ancestral, sample_ddpm},
      {"euler", "Euler", "Euler: deterministic; good from 20 steps", StepGrid::interpolated, sample_euler},
      {"euler_a", "Euler a", "Euler ancestral: fresh noise at each step", StepGrid::interpolated,
       sample_euler_ancestral},
      {"dpm++2m", "DPM++ 2M", "DPM-Solver++ of second order: deterministic; good from 15 steps", StepGrid::solver,
       sample_dpm_solver_multistep},
      {"dpm++2m_sde", "DPM++ 2M SDE", "the same with fresh noise at each step", StepGrid::solver,
       sample_dpm_solver_multistep_sde},
      {"heun", "Heun", "Heun: deterministic, two evaluations a step; good from 10 steps", StepGrid::interpolated,
       sample_heun},
      {"pndm", "PLMS", "PNDM: deterministic, one evaluation more than steps", StepGrid::pndm, sample_pndm},
      {"unipc", "UniPC", "UniPC: deterministic; good from 10 steps", StepGrid::solver, sample_unipc},
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

bool report_step(const SampleArgs& args, std::size_t step, torch::Tensor& x) {
  if (args.adjust) x = args.adjust(step, x);
  return !args.on_step || args.on_step(static_cast<int>(step), static_cast<int>(args.steps.size()), x);
}

}  // namespace sfumato
