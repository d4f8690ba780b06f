#include "diffusion/samplers.h"

namespace sfumato {

torch::Tensor sample_heun(const SampleArgs& args) {
  auto x = args.x.to(torch::kFloat32);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to] = args.steps[i];
    const double way = to.sigma / to.alpha - from.sigma / from.alpha;
    auto slope = args.denoise(x, from).eps;
    const auto scaled = x / from.alpha;  // x0 + (sigma / alpha) eps
    if (to.sigma > 0) slope = (slope + args.denoise(to.alpha * (scaled + way * slope), to).eps) / 2;
    x = to.alpha * (scaled + way * slope);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
