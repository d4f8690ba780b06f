#include "diffusion/multistep.h"

#include <algorithm>
#include <cmath>

namespace sfumato {

double half_log_snr(const Level& level) {
  return std::log(level.alpha / level.sigma);
}

ExponentialStep ExponentialStep::of_x0(const Step& step) {
  const double h = half_log_snr(step.to) - half_log_snr(step.from);
  return {.kept = step.to.sigma / step.from.sigma, .gained = step.to.alpha, .h = h, .decay = -h};
}

ExponentialStep ExponentialStep::of_eps(const Step& step) {
  const double h = half_log_snr(step.to) - half_log_snr(step.from);
  return {.kept = step.to.alpha / step.from.alpha, .gained = step.to.sigma, .h = h, .decay = h};
}

ExponentialStep ExponentialStep::of(const Step& step, const SolverConfig& solver) {
  auto result = solver.is_of_eps() ? of_eps(step) : of_x0(step);
  if (!solver.is_stochastic()) return result;
  if (solver.is_of_eps()) {
    result.gained *= 2;
    result.noise = step.to.sigma * std::sqrt(std::expm1(2 * result.h));
  } else {
    result.kept *= std::exp(-result.h);
    result.decay *= 2;
    result.noise = step.to.sigma * std::sqrt(-std::expm1(result.decay));
  }
  return result;
}

SolverWeights solver_weights(double decay, bool midpoint) {
  const double phi1 = std::expm1(decay);
  const double phi2 = phi1 / decay - 1;
  return {phi1, midpoint ? phi1 / 2 : phi2, phi2 / decay - 0.5};
}

SolverWeights dpm_solver_weights(const ExponentialStep& step, const SolverConfig& solver, bool midpoint) {
  auto weights = solver_weights(step.decay, midpoint);
  if (solver.is_stochastic() && !solver.is_of_eps()) weights[2] += 1;  // diffusers adds the half it should subtract
  return weights;
}

SolverPrediction solver_prediction(const SampleArgs& args, const torch::Tensor& x, std::size_t i,
                                   const SolverConfig& solver) {
  const auto& level = args.steps[i].from;
  const auto x0 = args.denoise(x, {level, i, i}).x0;
  return {half_log_snr(level), solver.is_of_eps() ? eps_of(x0, x, level) : x0};
}

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

torch::Tensor eps_of(const torch::Tensor& x0, const torch::Tensor& x, const Level& level) {
  return (x - level.alpha * x0) / level.sigma;
}

bool is_of_first_order(const Step& step) {
  return step.to.sigma == 0 || step.to.ratio() == step.from.ratio();
}

std::size_t multistep_order(const SampleArgs& args, std::size_t step) {
  constexpr std::size_t kFewSteps = 15;
  constexpr std::int64_t kHighest = 3;
  const auto order = std::min(static_cast<std::size_t>(std::min(args.options.solver.solver_order, kHighest)), step + 1);
  const bool few = args.skipped + args.steps.size() < kFewSteps;
  return args.options.solver.lower_order_final && few ? std::min(order, args.steps.size() - step) : order;
}

}  // namespace sfumato
