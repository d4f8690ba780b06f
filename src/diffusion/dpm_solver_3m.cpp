#include <cmath>
#include <deque>

#include "diffusion/multistep.h"
#include "diffusion/step_noise.h"

namespace sfumato {
torch::Tensor sample_dpm_solver_3m_sde(const SampleArgs& args) {
  constexpr std::size_t kOrder = 3;
  auto x = args.x.to(torch::kFloat32);
  StepNoise noise(args);
  std::deque<SolverPrediction> past;  // newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto x0 = args.denoise(x, {from, i, i}).x0;
    if (keeps_ratio(args.steps[i])) {
      x = to.alpha / from.alpha * x;
    } else if (to.sigma > 0) {
      const double h = half_log_snr(to) - half_log_snr(from);
      past.push_front({half_log_snr(from), x0});
      if (past.size() > kOrder) past.pop_back();
      const double fresh = -std::expm1(-2 * h);
      x = std::exp(-2 * h) * x / from.alpha - weighted(past, h, solver_weights(-2 * h, /*midpoint=*/false));
      x = to.alpha * (x + to.ratio() * std::sqrt(fresh) * noise.between(from, to));
    } else {
      x = x0;
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
