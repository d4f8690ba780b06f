#include <algorithm>
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

/// Implements all forms of the multistep solver.
torch::Tensor solve(const SampleArgs& args, const std::string& algorithm_type) {
  auto solver = args.options.solver;
  solver.algorithm_type = algorithm_type;
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  std::deque<SolverPrediction> past;  // newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    past.push_front(solver_prediction(args, x, i, solver));
    past.resize(order_of_step(args, i));
    const auto step = ExponentialStep::of(args.steps[i], solver);
    const bool midpoint = past.size() == 2 && solver.solver_type != "heun";
    x = step.kept * x - step.gained * weighted(past, step.h, dpm_solver_weights(step, solver, midpoint));
    if (solver.is_stochastic()) x = x + step.noise * noise.between(args.steps[i].from, args.steps[i].to);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

/// Returns the position, from 1, of a step in its group of `solver_order`, which is its order. The last step is of
/// first order if it ends clean and, with lower_order_final, if it would be of the highest.
std::size_t singlestep_order(const SampleArgs& args, std::size_t i) {
  const auto& solver = args.options.solver;
  const auto highest = static_cast<std::size_t>(std::min<std::int64_t>(solver.solver_order, 3));
  const auto count = args.skipped + args.steps.size(), place = args.skipped + i;
  const bool is_last = place + 1 == count, whole_groups = count % highest == 0;
  if (is_last && (args.steps[i].to.sigma == 0 || (solver.lower_order_final && whole_groups))) return 1;
  return std::min(place % highest + 1, i + 1);  // image to image may begin within a group
}

/// Returns the weighted predictions of a group, oldest first: of three, the second is used in Heun's form only.
torch::Tensor weighted_group(std::deque<SolverPrediction> group, const ExponentialStep& step,
                             const SolverConfig& solver) {
  const bool heun = solver.solver_type == "heun";
  auto weights = dpm_solver_weights(step, solver, group.size() == 2 && !heun);
  weights[2] *= 2;  // `weighted` multiplies it by the second difference, which is half the second derivative.
  if (group.size() == 3 && !heun) group.erase(group.begin() + 1);
  return weighted(group, step.h, weights);
}

}  // namespace

torch::Tensor sample_dpm_solver_multistep(const SampleArgs& args) {
  return solve(args, args.options.solver.algorithm_type == "dpmsolver" ? "dpmsolver" : "dpmsolver++");
}

torch::Tensor sample_dpm_solver_3m(const SampleArgs& args) {
  auto third_order = args;
  third_order.options.solver.solver_order = 3;
  return sample_dpm_solver_multistep(third_order);
}

torch::Tensor sample_dpm_solver_multistep_sde(const SampleArgs& args) {
  return solve(args, args.options.solver.algorithm_type == "sde-dpmsolver" ? "sde-dpmsolver" : "sde-dpmsolver++");
}

torch::Tensor sample_dpm_solver_singlestep(const SampleArgs& args) {
  const auto& solver = args.options.solver;
  auto x = args.x.to(torch::kFloat32);
  torch::Tensor start;
  Level start_level;
  std::deque<SolverPrediction> group;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    if (singlestep_order(args, i) == 1) {
      start = x;
      start_level = from;
      group.clear();
    }
    group.push_back(solver_prediction(args, x, i, solver));
    const auto step = ExponentialStep::of({start_level, to}, solver);
    x = step.kept * start - step.gained * weighted_group(group, step, solver);
    if (solver.is_stochastic()) x = x + step.noise * args.noise.draw_like(x);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
