#include <cmath>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// A level that was passed, and the x0 predicted there.
struct Node {
  Level level;
  torch::Tensor x0;
};

/// Half the logarithm of the signal-to-noise ratio; infinite at sigma = 0.
double lambda(const Level& level) {
  return std::log(level.alpha / level.sigma);
}

/// x at `to`, were x0 the `middle` all the way: the exact solution for a constant x0.
torch::Tensor solved(const torch::Tensor& x, const Step& step, const torch::Tensor& middle) {
  const double h = lambda(step.to) - lambda(step.from);
  return step.to.sigma / step.from.sigma * x - step.to.alpha * std::expm1(-h) * middle;
}

/// UniP of the second order, or of the first where there is no `earlier` node.
torch::Tensor predicted(const torch::Tensor& x, const Step& step, const torch::Tensor& x0, const Node* earlier) {
  if (earlier == nullptr) return solved(x, step, x0);
  const double r = (lambda(earlier->level) - lambda(step.from)) / (lambda(step.to) - lambda(step.from));
  return solved(x, step, x0 + (earlier->x0 - x0) / (2 * r));
}

/// UniC: the step from `x` done again, knowing the x0 at its end.
torch::Tensor corrected(const torch::Tensor& x, const Step& step, const torch::Tensor& x0_at_end, const Node& last,
                        const Node* earlier) {
  const auto change = x0_at_end - last.x0;
  if (earlier == nullptr) return solved(x, step, last.x0 + change / 2);
  // The two equations of the paper's eq. 5, with B(h) = e^-h - 1 (bh2).
  const double h = lambda(step.to) - lambda(step.from);
  const double r = (lambda(earlier->level) - lambda(step.from)) / h;
  const double b = std::expm1(-h);
  const double phi1 = b / -h - 1;
  const double phi2 = phi1 / -h - 0.5;
  const double b1 = phi1 / b, b2 = 2 * phi2 / b;
  const double on_earlier = (b1 - b2) / (1 - r);
  return solved(x, step, last.x0 + on_earlier / r * (earlier->x0 - last.x0) + (b1 - on_earlier) * change);
}

}  // namespace

torch::Tensor sample_unipc(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  torch::Tensor before_step;
  std::vector<Node> nodes;
  bool was_second_order = false;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& step = args.steps[i];
    const auto x0 = args.denoise(x, step.from).x0;
    if (i > 0) {
      x = corrected(before_step, args.steps[i - 1], x0, nodes[i - 1], was_second_order ? &nodes[i - 2] : nullptr);
    }
    nodes.push_back({step.from, x0});
    if (i >= 2) nodes[i - 2].x0.reset();  // two are kept
    was_second_order = i > 0 && i + 1 < args.steps.size();
    before_step = x;
    x = predicted(x, step, x0, was_second_order ? &nodes[i - 1] : nullptr);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
