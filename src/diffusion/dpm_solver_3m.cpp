#include <cmath>
#include <deque>

#include "diffusion/samplers.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

/// An x0 that was predicted, and how far in log(alpha / sigma) the next level lies.
struct Prediction3M {
  torch::Tensor x0;
  double h;
};

/// What the first and the second derivative of x0, by the last two or three predictions, add over the present step;
/// the newest first.
torch::Tensor higher_orders(const std::deque<Prediction3M>& past) {
  const double h = past[0].h, decay = 2 * h;
  const double phi2 = std::expm1(-decay) / decay + 1;
  const double phi3 = phi2 / decay - 0.5;
  if (past.size() < 2) return torch::zeros_like(past[0].x0);
  const double r0 = past[1].h / h;
  const auto newer = (past[0].x0 - past[1].x0) / r0;
  if (past.size() < 3) return phi2 * newer;
  const double r1 = past[2].h / h;
  const auto older = (past[1].x0 - past[2].x0) / r1;
  const auto bend = (newer - older) / (r0 + r1);
  return phi2 * (newer + r0 * bend) - phi3 * bend;
}

}  // namespace

torch::Tensor sample_dpm_solver_3m_sde(const SampleArgs& args) {
  constexpr std::size_t kOrder = 3;
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  std::deque<Prediction3M> past;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto x0 = args.denoise(x, from).x0;
    if (to.sigma > 0) {
      const double h = std::log(from.ratio() / to.ratio());
      past.push_front({x0, h});
      if (past.size() > kOrder) past.pop_back();
      const double fresh = -std::expm1(-2 * h);
      x = std::exp(-2 * h) * x / from.alpha + fresh * x0 + higher_orders(past);
      x = to.alpha * (x + to.ratio() * std::sqrt(fresh) * noise.between(from, to));
    } else {
      x = x0;
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
