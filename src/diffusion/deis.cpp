#include <cmath>
#include <deque>

#include "diffusion/multistep.h"

namespace sfumato {
namespace {

/// Noise predicted at a level; rho is sigma / alpha.
struct PastNoise {
  double log_rho;
  torch::Tensor eps;
};

/// Integrates (log rho - c) (log rho - d) ... over rho, up to `rho`, for the roots c, d, ..., of which there are
/// at most two.
double integrated_product(double rho, const std::vector<double>& roots) {
  const double l = std::log(rho);
  if (roots.empty()) return rho;
  if (roots.size() == 1) return rho * (l - 1 - roots[0]);
  return rho * (l * l - 2 * l + 2 - (roots[0] + roots[1]) * (l - 1) + roots[0] * roots[1]);
}

/// Returns the paper's C_ik: the integral over the step of the polynomial in log rho that is 1 at past[k], 0 elsewhere.
double integrated_basis(const std::deque<PastNoise>& past, std::size_t k, const Step& step) {
  std::vector<double> roots;
  double norm = 1;
  for (std::size_t j = 0; j < past.size(); ++j) {
    if (j == k) continue;
    roots.push_back(past[j].log_rho);
    norm *= past[k].log_rho - past[j].log_rho;
  }
  return (integrated_product(step.to.ratio(), roots) - integrated_product(step.from.ratio(), roots)) / norm;
}

}  // namespace

torch::Tensor sample_deis(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  std::deque<PastNoise> past;  // newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& step = args.steps[i];
    const auto x0 = args.denoise(x, {step.from, i, i}).x0;
    past.push_front({std::log(step.from.ratio()), eps_of(x0, x, step.from)});
    past.resize(multistep_order(args, i));
    const auto& eps = past[0].eps;
    // First order. All C_ik add up to its share of eps, so earlier predictions contribute only their differences.
    x = step.to.alpha * x0 + step.to.sigma * eps;
    for (std::size_t k = 1; k < past.size(); ++k)
      x = x + step.to.alpha * integrated_basis(past, k, step) * (past[k].eps - eps);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
