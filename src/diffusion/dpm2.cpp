#include <cmath>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// Returns the slope at the middle of step i, or at its start if it ends clean. `scaled` is x0 + (sigma / alpha) eps.
torch::Tensor middle_slope(const SampleArgs& args, const torch::Tensor& scaled, std::size_t i) {
  const auto& [from, to, middle] = args.steps[i];
  const auto slope = args.denoise(from.alpha * scaled, {from, i, 2 * i}).eps;
  if (to.sigma == 0) return slope;
  const auto x = middle.alpha * (scaled + (middle.ratio() - from.ratio()) * slope);
  return second_estimate(args, x, middle, i).eps;
}

}  // namespace

torch::Tensor sample_dpm2(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto scaled = x / from.alpha;
    x = to.alpha * (scaled + (to.ratio() - from.ratio()) * middle_slope(args, scaled, i));
    if (!report_step(args, i, x)) break;
  }
  return x;
}

torch::Tensor sample_dpm2_ancestral(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const double down = to.ratio() * to.ratio() / from.ratio();
    const auto scaled = x / from.alpha;
    x = scaled + (down - from.ratio()) * middle_slope(args, scaled, i);
    if (to.sigma > 0) x = x + std::sqrt(to.ratio() * to.ratio() - down * down) * args.noise.draw_like(x);
    x = to.alpha * x;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
