#include <algorithm>
#include <cmath>
#include <deque>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

constexpr std::size_t kLmsOrder = 4;

/// Integrates, from the first node to `to`, the polynomial that is 1 at nodes[k] and 0 at the others. Gauss-Legendre
/// with two points is exact up to the third degree, the most that four nodes give.
double integrated_lagrange(const std::deque<double>& nodes, std::size_t k, double to) {
  const double middle = (nodes.front() + to) / 2, half = (to - nodes.front()) / 2;
  double sum = 0;
  for (const double point : {middle - half / std::sqrt(3.0), middle + half / std::sqrt(3.0)}) {
    double product = 1;
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (j != k) product *= (point - nodes[j]) / (nodes[k] - nodes[j]);
    sum += product;
  }
  return half * sum;
}

}  // namespace

torch::Tensor sample_lms(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  std::deque<torch::Tensor> slopes;  // newest first, like their nodes
  std::deque<double> nodes;
  for (const auto& level : args.options.skipped_levels) nodes.push_front(level.ratio());
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    slopes.push_front(args.denoise(x, {from, i, i}).eps);
    nodes.push_front(from.ratio());
    nodes.resize(std::min(nodes.size(), kLmsOrder));
    slopes.resize(std::min(slopes.size(), kLmsOrder));
    x = x / from.alpha;  // x0 + (sigma / alpha) eps
    for (std::size_t k = 0; k < slopes.size(); ++k) x = x + integrated_lagrange(nodes, k, to.ratio()) * slopes[k];
    x = to.alpha * x;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
