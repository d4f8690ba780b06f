#include "diffusion/gradient_guidance.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace sfumato {
namespace {

/// Returns Sigma / beta, [N, C, ...]: the learned-range variance (Nichol & Dhariwal 2021, eq. 15) with the bounds of
/// sample_ddpm.
torch::Tensor learned_share(const torch::Tensor& variance, const Level& from, const Level& to) {
  constexpr double kLeastVariance = 1e-20;
  const double kept = from.alpha / to.alpha;
  const double beta = from.sigma * from.sigma - kept * kept * to.sigma * to.sigma;
  const double posterior = std::max(to.sigma * to.sigma / (from.sigma * from.sigma) * beta, kLeastVariance);
  return torch::exp((1 - variance) / 2 * (std::log(posterior) - std::log(beta)));
}

/// Returns the shift of x0 per unit of gradient: a number, or [N, C, ...] with a learned variance.
torch::Tensor shift_of_x0(const GradientGuidance& guidance, const Estimate& estimate, const Evaluation& evaluation) {
  const auto& from = evaluation.level;
  const auto& to = guidance.steps.at(evaluation.step).to;
  // A step towards noise (restarts), or a second evaluation at the step's end, has no cleaner end.
  const double alpha = std::max(from.alpha, to.alpha);
  const auto shift = torch::tensor(guidance.scale * from.sigma * from.sigma / alpha, torch::kFloat32);
  const bool learned = guidance.learned_variance && estimate.variance.defined() && to.alpha > from.alpha;
  return learned ? shift * learned_share(estimate.variance, from, to) : shift;
}

}  // namespace

torch::Tensor value_gradient(const GuidanceValue& value, const torch::Tensor& x, const Estimate& estimate,
                             const Evaluation& evaluation) {
  const torch::AutoGradMode with_gradients(true);
  const auto variable = x.detach().clone().requires_grad_(true);
  // At alpha = 0, x contains no signal, and x0 does not depend on it.
  const double slope = evaluation.level.alpha > 0 ? 1 / evaluation.level.alpha : 0;
  const auto x0 = estimate.x0.detach() + slope * (variable - variable.detach());
  return torch::autograd::grad({value(variable, x0, evaluation).sum()}, {variable}).front();
}

Denoiser guided_by_gradient(Denoiser denoise, GradientGuidance guidance) {
  return [denoise = std::move(denoise), guidance = std::move(guidance)](const torch::Tensor& x,
                                                                        const Evaluation& evaluation) {
    auto estimate = denoise(x, evaluation);
    const auto& level = evaluation.level;
    if (!guidance.range.contains(evaluation.index) || level.sigma == 0) return estimate;
    const auto gradient = value_gradient(guidance.value, x.to(torch::kFloat32), estimate, evaluation);
    const auto shift = shift_of_x0(guidance, estimate, evaluation) * gradient;
    estimate.x0 = estimate.x0 + shift;
    estimate.eps = estimate.eps - level.alpha / level.sigma * shift;
    return estimate;
  };
}

}  // namespace sfumato
