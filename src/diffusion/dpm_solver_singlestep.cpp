#include <cmath>

#include "diffusion/samplers.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

/// Integrates exactly for a constant x0 from `from` down to to^2 / from in sigma / alpha; fresh noise of
/// `ancestral_noise` leads from there up to `to`. All are in the form x0 + (sigma / alpha) eps.
torch::Tensor gone_down(const torch::Tensor& scaled, const torch::Tensor& x0, double from, double to) {
  const double kept = std::pow(to / from, 2);
  return kept * scaled + (1 - kept) * x0;
}

double ancestral_noise(double from, double to) {
  return to * std::sqrt(1 - std::pow(to / from, 2));
}

}  // namespace

torch::Tensor sample_dpm_solver_2s_ancestral(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const double r = from.ratio(), s = to.ratio();
    auto x0 = args.denoise(x, {from, i, 2 * i}).x0;
    if (to.sigma > 0) {
      // The middle, in log(sigma / alpha), of the descent is at `to`.
      const auto there = to.alpha * (s / r * x / from.alpha + (1 - s / r) * x0);
      x0 = second_estimate(args, there, to, i).x0;
      x = gone_down(x / from.alpha, x0, r, s) + ancestral_noise(r, s) * args.noise.draw_like(x);
      x = to.alpha * x;
    } else {
      x = x0;
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

torch::Tensor sample_dpm_solver_sde(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const double r = from.ratio(), m = middle.ratio(), s = to.ratio();
    auto x0 = args.denoise(x, {from, i, 2 * i}).x0;
    if (keeps_ratio(args.steps[i])) {
      x = to.alpha / from.alpha * x;
    } else if (to.sigma > 0) {
      const auto scaled = x / from.alpha;
      // A Brownian motion along sigma / alpha: the noise of the whole step includes that of its first half.
      const auto first = noise.between(from, middle), second = noise.between(middle, to);
      const auto whole = (std::sqrt(r - m) * first + std::sqrt(m - s) * second) / std::sqrt(r - s);
      const auto there = middle.alpha * (gone_down(scaled, x0, r, m) + ancestral_noise(r, m) * first);
      x0 = second_estimate(args, there, middle, i).x0;
      x = to.alpha * (gone_down(scaled, x0, r, s) + ancestral_noise(r, s) * whole);
    } else {
      x = x0;
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
