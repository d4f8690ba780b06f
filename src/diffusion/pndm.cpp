#include <array>
#include <deque>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// Adams and Bashforth's weights, the newest first.
torch::Tensor extrapolated(const std::deque<torch::Tensor>& eps) {
  switch (eps.size()) {
    case 1:
      return eps[0];
    case 2:
      return (3 * eps[0] - eps[1]) / 2;
    case 3:
      return (23 * eps[0] - 16 * eps[1] + 5 * eps[2]) / 12;
    default:
      return (55 * eps[0] - 59 * eps[1] + 37 * eps[2] - 9 * eps[3]) / 24;
  }
}

/// Liu et al. 2022, eq. 9, which is DDIM's step.
torch::Tensor moved(const torch::Tensor& x, const Step& step, const torch::Tensor& eps) {
  const double kept = step.to.alpha / step.from.alpha;
  return kept * x + (step.to.sigma - kept * step.from.sigma) * eps;
}

/// The pseudo Runge-Kutta step (eq. 13), in steps of one evaluation each.
class RungeKutta {
 public:
  bool is_under_way() const { return done_ > 0; }

  /// From where its first evaluation was made, the last time by the mean of all.
  torch::Tensor moved_by(const torch::Tensor& x, const Step& step, const torch::Tensor& eps) {
    static constexpr std::array<double, 4> kWeights = {1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0};
    if (done_ == 0) {
      start_ = x;
      from_ = step.from;
      mean_ = torch::zeros_like(eps);
    }
    mean_ = mean_ + kWeights[done_] * eps;
    done_ = (done_ + 1) % kWeights.size();
    return moved(start_, {from_, step.to}, done_ == 0 ? mean_ : eps);
  }

 private:
  std::size_t done_ = 0;
  Level from_;
  torch::Tensor start_, mean_;
};

}  // namespace

torch::Tensor sample_pndm(const SampleArgs& args) {
  constexpr std::size_t kOrder = 4;
  auto x = args.x.to(torch::kFloat32);
  auto start = x;
  std::deque<torch::Tensor> past;
  RungeKutta warm_up;
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& step = args.steps[i];
    const auto eps = args.denoise(x, step.from).eps;
    if (warm_up.is_under_way() || is_runge_kutta(args.steps, i)) {
      if (!warm_up.is_under_way()) past.push_front(eps);
      x = warm_up.moved_by(x, step, eps);
    } else if (i == 1 && stays(step)) {
      x = moved(start, args.steps[0], (eps + past[0]) / 2);
    } else {
      past.push_front(eps);
      if (past.size() > kOrder) past.pop_back();
      start = x;
      x = moved(x, step, extrapolated(past));
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
