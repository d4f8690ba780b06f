#include <algorithm>

#include "diffusion/pseudo_linear.h"

namespace sfumato {

torch::Tensor extrapolated(const std::deque<torch::Tensor>& values) {
  switch (values.size()) {
    case 1:
      return values[0];
    case 2:
      return (3 * values[0] - values[1]) / 2;
    case 3:
      return (23 * values[0] - 16 * values[1] + 5 * values[2]) / 12;
    default:
      return (55 * values[0] - 59 * values[1] + 37 * values[2] - 9 * values[3]) / 24;
  }
}

torch::Tensor sample_ipndm(const SampleArgs& args) {
  constexpr std::size_t kOrder = 4;
  constexpr double kLeastAlpha = 1e-8;
  auto x = args.x.to(torch::kFloat32);
  std::deque<torch::Tensor> past;  // eps, newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    past.push_front(args.denoise(x, {from, i, i}).eps);
    if (past.size() > kOrder) past.pop_back();
    const auto eps = extrapolated(past);
    // At alpha = 0, x equals eps, and x0 counts as 0.
    const auto x0 = (x - from.sigma * eps) / std::max(from.alpha, kLeastAlpha);
    x = to.alpha * x0 + to.sigma * eps;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
