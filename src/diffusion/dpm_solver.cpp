#include <cmath>
#include <deque>

#include "diffusion/multistep.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

std::size_t order_of_step(const SampleArgs& args, std::size_t i) {
  const bool is_last = i + 1 == args.steps.size();
  if (is_of_first_order(args.steps[i]) || (is_last && args.options.solver.euler_at_final)) return 1;
  return multistep_order(args, i);
}

/// All forms of the multistep solver: `stochastic` draws noise at every step.
torch::Tensor solve(const SampleArgs& args, bool stochastic) {
  const bool of_eps = args.options.solver.algorithm_type == "dpmsolver" && !stochastic;
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  std::deque<SolverPrediction> past;  // the newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto x0 = args.denoise(x, from).x0;
    past.push_front({half_log_snr(from), of_eps ? eps_beside(x0, x, from) : x0});
    past.resize(order_of_step(args, i));
    const auto step = of_eps ? ExponentialStep::of_eps(args.steps[i]) : ExponentialStep::of_x0(args.steps[i]);
    const bool midpoint = past.size() == 2 && args.options.solver.solver_type != "heun";
    if (stochastic) {
      auto weights = solver_weights(-2 * step.h, midpoint);
      weights[2] += 1;  // DPMSolverMultistepScheduler adds the half that the expansion subtracts.
      const double fresh = -std::expm1(-2 * step.h);
      x = step.kept * std::exp(-step.h) * x - to.alpha * weighted(past, step.h, weights);
      x = x + to.sigma * std::sqrt(fresh) * noise.between(from, to);
    } else {
      x = step.kept * x - step.gained * weighted(past, step.h, solver_weights(step.decay, midpoint));
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace

torch::Tensor sample_dpm_solver_multistep(const SampleArgs& args) {
  return solve(args, false);
}

torch::Tensor sample_dpm_solver_3m(const SampleArgs& args) {
  auto third_order = args;
  third_order.options.solver.solver_order = 3;
  return solve(third_order, false);
}

torch::Tensor sample_dpm_solver_multistep_sde(const SampleArgs& args) {
  return solve(args, true);
}

}  // namespace sfumato
