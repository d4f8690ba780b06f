#include <cmath>

#include "diffusion/samplers.h"

namespace sfumato {

torch::Tensor sample_lcm(const SampleArgs& args) {
  constexpr double kSigmaData = 0.5;
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    // The boundary condition (section 4.1): x itself at timestep 0. An infinite scaling disables it.
    const double scaled_t = args.options.timestep_scaling * from.t;
    const double norm = std::hypot(scaled_t, kSigmaData);
    const double on_x0 = std::isinf(scaled_t) ? 1 : scaled_t / norm;
    const auto denoised = on_x0 * args.denoise(x, {from, i, i}).x0 + std::pow(kSigmaData / norm, 2) * x;
    x = to.sigma > 0 ? to.alpha * denoised + to.sigma * args.noise.draw_like(x) : denoised;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

torch::Tensor sample_tcd(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto [x0, eps, variance] = args.denoise(x, {from, i, i});
    x = middle.alpha * x0 + middle.sigma * eps;
    if (i + 1 < args.steps.size()) {
      const double kept = to.alpha / middle.alpha, kept_sigma = kept * middle.sigma;
      x = kept * x + std::sqrt(to.sigma * to.sigma - kept_sigma * kept_sigma) * args.noise.draw_like(x);
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
