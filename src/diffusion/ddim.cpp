#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "diffusion/samplers.h"
#include "diffusion/subsequences.h"

namespace sfumato {
namespace {

/// Song et al. 2021, eq. 16: the deviation of the noise that makes DDIM as random as DDPM, times eta. Of sigma / alpha,
/// as a level may leave alpha out (StepGrid::interpolated).
double noise_deviation(const Level& from, const Level& to, double eta) {
  if (eta == 0) return 0;  // also towards noise, where sigma / alpha grows
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
    const double deviation = noise_deviation(from, to, eta);
    // Eq. 12: the predicted x0, and the direction that points to x_t, of length 0 at eta = 1 from alpha = 0, where
    // rounding must not take the root below it.
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
