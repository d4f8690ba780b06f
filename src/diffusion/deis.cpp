#include <cmath>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// The integral over rho from `from` to `to` of the function, linear in log rho, that is 1 at `one` and 0 at `zero`.
double integrated_line(double from, double to, double one, double zero) {
  const auto antiderivative = [&](double rho) { return rho * (std::log(rho / zero) - 1) / std::log(one / zero); };
  return antiderivative(to) - antiderivative(from);
}

}  // namespace

torch::Tensor sample_deis(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  torch::Tensor earlier_eps;
  double earlier_rho = 0;  // rho is sigma / alpha
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const double rho = from.ratio();
    const auto x0 = args.denoise(x, from).x0;
    // Not the estimate's, which a thresholded x0 would contradict.
    const auto eps = (x - from.alpha * x0) / from.sigma;
    x = to.alpha * x0 + to.sigma * eps;
    if (earlier_eps.defined() && !ends_in_first_order(args, i))
      x = x + to.alpha * integrated_line(rho, to.ratio(), earlier_rho, rho) * (earlier_eps - eps);
    earlier_eps = eps;
    earlier_rho = rho;
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
