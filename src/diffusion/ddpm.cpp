#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// q(x_to | x_from, x0) = N(on_x0 * x0 + on_x * x, variance), Ho et al. 2020, eq. 6 and 7 with strides. `beta` is the
/// variance of q(x_from | x_to), for any alpha^2 + sigma^2.
struct Posterior {
  double on_x0, on_x, beta, variance;
};

Posterior posterior(const Level& from, const Level& to) {
  const double kept = from.alpha / to.alpha;  // sqrt of the paper's alpha_t
  const double from_variance = from.sigma * from.sigma, to_variance = to.sigma * to.sigma;
  const double beta = from_variance - kept * kept * to_variance;
  return {.on_x0 = to.alpha * beta / from_variance,
          .on_x = kept * to_variance / from_variance,
          .beta = beta,
          // The reference's lower bound, which keeps the logarithm finite.
          .variance = std::max(to_variance / from_variance * beta, 1e-20)};
}

/// Returns the std of the noise for the variance_type, [N, C, H, W] or a scalar.
torch::Tensor std_dev(const Posterior& moments, const torch::Tensor& learned, const std::string& type) {
  if (type == "fixed_small" || type == "fixed_small_log") return torch::tensor(std::sqrt(moments.variance));
  if (type == "fixed_large") return torch::tensor(std::sqrt(moments.beta));
  if (type != "learned" && type != "learned_range") {
    throw std::invalid_argument("variance_type is '" + type +
                                "', expected fixed_small, fixed_small_log, fixed_large, learned or learned_range");
  }
  if (!learned.defined())
    throw std::invalid_argument("variance_type is '" + type + "', but the network predicts no variance");
  if (type == "learned") return learned.sqrt();
  // Nichol & Dhariwal 2021, eq. 15, interpolated between the logarithms of the posterior's variance and of beta.
  const auto part = (learned + 1) / 2;
  return torch::exp(0.5 * (part * std::log(moments.beta) + (1 - part) * std::log(moments.variance)));
}

}  // namespace

torch::Tensor sample_ddpm(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto estimate = args.denoise(x, {from, i, i});
    const auto moments = posterior(from, to);
    x = moments.on_x0 * estimate.x0 + moments.on_x * x;
    if (from.t > 0 || to.sigma > 0)
      x = x + std_dev(moments, estimate.variance, args.options.variance_type) * args.noise.draw_like(x);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
