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

bool is_of_first_order(const Step& step) {
  return step.to.sigma == 0 || step.to.ratio() == step.from.ratio();
}

std::size_t multistep_order(const SampleArgs& args, std::size_t step) {
  constexpr std::size_t kFewSteps = 15;
  const auto order = std::min(static_cast<std::size_t>(args.options.solver.solver_order), step + 1);
  const bool few = args.skipped + args.steps.size() < kFewSteps;
  return args.options.solver.lower_order_final && few ? std::min(order, args.steps.size() - step) : order;
}

}  // namespace sfumato
