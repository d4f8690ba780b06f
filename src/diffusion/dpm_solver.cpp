#include <cmath>

#include "diffusion/samplers.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

/// Half the logarithm of the signal-to-noise ratio; infinite at sigma = 0.
double half_log_snr(const Level& level) {
  return std::log(level.alpha / level.sigma);
}

/// Both forms of the second-order multistep solver: `stochastic` draws noise at every step.
torch::Tensor solve(const SampleArgs& args, bool stochastic) {
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  torch::Tensor earlier_x0;
  double earlier_h = 0;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& from = args.steps[i].from;
    const auto& to = args.steps[i].to;
    const auto x0 = args.denoise(x, from).x0;
    const double h = half_log_snr(to) - half_log_snr(from);
    // Between `from` and `to` x0 is taken to go on as it went from the step before to this one.
    const bool second_order = earlier_x0.defined() && !ends_in_first_order(args, i);
    const auto middle = second_order ? x0 + (h / (2 * earlier_h)) * (x0 - earlier_x0) : x0;
    const double kept = to.sigma / from.sigma;
    if (stochastic) {
      const double fresh = -std::expm1(-2 * h);
      x = kept * std::exp(-h) * x + to.alpha * fresh * middle + to.sigma * std::sqrt(fresh) * noise.between(from, to);
    } else {
      x = kept * x - to.alpha * std::expm1(-h) * middle;
    }
    earlier_x0 = x0;
    earlier_h = h;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace

torch::Tensor sample_dpm_solver_multistep(const SampleArgs& args) {
  return solve(args, false);
}

torch::Tensor sample_dpm_solver_multistep_sde(const SampleArgs& args) {
  return solve(args, true);
}

}  // namespace sfumato
