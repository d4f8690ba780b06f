#include <cmath>

#include "diffusion/multistep.h"

namespace sfumato {
namespace {

/// Returns the slope of x0 + (sigma / alpha) eps over sigma / alpha.
using Slope = torch::Tensor (*)(const Estimate& estimate, const torch::Tensor& x, const Level& level);

/// Computes the slope from x0, which may be clipped, as in HeunDiscreteScheduler.
torch::Tensor slope_by_x0(const Estimate& estimate, const torch::Tensor& x, const Level& level) {
  return eps_of(estimate.x0, x, level);
}

/// Returns eps, which avoids the rounding error of a difference divided by sigma.
torch::Tensor slope_by_eps(const Estimate& estimate, const torch::Tensor&, const Level&) {
  return estimate.eps;
}

torch::Tensor heun_step(const SampleArgs& args, const torch::Tensor& x, std::size_t i, Slope slope_at) {
  const auto& [from, to, middle] = args.steps[i];
  const double way = to.ratio() - from.ratio();
  auto slope = slope_at(args.denoise(x, {from, i, 2 * i}), x, from);
  const auto scaled = x / from.alpha;  // x0 + (sigma / alpha) eps
  if (to.sigma > 0) {
    const auto there = to.alpha * (scaled + way * slope);
    slope = (slope + slope_at(second_estimate(args, there, to, i), there, to)) / 2;
  }
  return to.alpha * (scaled + way * slope);
}

}  // namespace

torch::Tensor sample_heun(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    x = heun_step(args, x, i, slope_by_x0);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

torch::Tensor sample_restart(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& from = args.steps[i].from;
    const auto& reached = i == 0 ? from : args.steps[i - 1].to;
    if (from.ratio() > reached.ratio()) {
      const double added = std::sqrt(std::pow(from.ratio(), 2) - std::pow(reached.ratio(), 2));
      x = from.alpha * (x / reached.alpha + added * args.noise.draw_like(x));
    }
    x = heun_step(args, x, i, slope_by_eps);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
