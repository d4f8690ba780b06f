#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "diffusion/samplers.h"
#include "diffusion/subsequences.h"

namespace sfumato {
namespace {

/// Song et al. 2021, eq. 16: the std of the noise that makes DDIM as random as DDPM, times eta. Uses sigma / alpha,
/// because alpha^2 + sigma^2 need not be 1 (StepGrid::interpolated).
double noise_std(const Level& from, const Level& to, double eta) {
  if (eta == 0) return 0;  // also for steps towards noise, in which sigma / alpha grows
  const double kept = to.ratio() / from.ratio();
  return eta * to.sigma * std::sqrt(1 - kept * kept);
}

}  // namespace

torch::Tensor sample_ddim(const SampleArgs& args) {
  const double eta = args.options.eta;
  if (!(eta >= 0 && eta <= 1)) throw std::invalid_argument("eta is " + std::to_string(eta) + ", expected 0 to 1");
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto [x0, eps, variance] = args.denoise(x, {from, i, i});
    const double deviation = noise_std(from, to, eta);
    // Eq. 12: the predicted x0, and the direction towards x_t. Its length is 0 at eta = 1 from alpha = 0, where
    // rounding must not make the radicand negative.
    const double direction = std::sqrt(std::max(0.0, to.sigma * to.sigma - deviation * deviation));
    x = to.alpha * x0 + direction * eps;
    if (eta > 0) x = x + deviation * args.noise.draw_like(x);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

torch::Tensor invert_ddim(const SampleArgs& args) {
  const auto steps = inverse_steps(args.steps);
  const SamplerOptions options;
  const SampleArgs inverse{.denoise = args.denoise,
                           .x = args.x,
                           .steps = steps,
                           .noise = args.noise,
                           .options = options,
                           .on_step = args.on_step};
  return sample_ddim(inverse);
}

}  // namespace sfumato
