#include <array>
#include <cmath>
#include <deque>

#include "diffusion/multistep.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

/// An x0, or an eps, that was predicted.
struct SolverPrediction {
  double lambda;
  torch::Tensor value;
};

/// How much a prediction and its first two derivatives over a step weigh in it.
using SolverWeights = std::array<double, 3>;

/// `decay` times phi_1 to phi_3 of it, the functions of exponential integrators (Lu et al. 2022a, appendix B). The
/// second order's midpoint form takes the slope at the step's middle instead; Heun's, and the third order, are exact.
SolverWeights solver_weights(double decay, bool midpoint) {
  const double phi1 = std::expm1(decay);
  const double phi2 = phi1 / decay - 1;
  return {phi1, midpoint ? phi1 / 2 : phi2, phi2 / decay - 0.5};
}

/// The prediction over a step of h, weighted, by all the `past` ones, the newest first: as many as the step's order.
torch::Tensor weighted(const std::deque<SolverPrediction>& past, double h, const SolverWeights& weights) {
  const auto [phi1, phi2, phi3] = weights;
  if (past.size() == 1) return phi1 * past[0].value;
  const double r0 = (past[0].lambda - past[1].lambda) / h;
  const auto newer = (past[0].value - past[1].value) / r0;
  if (past.size() == 2) return phi1 * past[0].value + phi2 * newer;
  const double r1 = (past[1].lambda - past[2].lambda) / h;
  const auto older = (past[1].value - past[2].value) / r1;
  const auto bend = (newer - older) / (r0 + r1);
  return phi1 * past[0].value + phi2 * (newer + r0 * bend) + phi3 * bend;
}

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
  std::deque<SolverPrediction> past;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto x0 = args.denoise(x, from).x0;
    // Not the estimate's eps, which a thresholded x0 would contradict.
    past.push_front({half_log_snr(from), of_eps ? (x - from.alpha * x0) / from.sigma : x0});
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
