#include <array>
#include <deque>

#include "diffusion/pseudo_linear.h"

namespace sfumato {
namespace {

/// Applies Liu et al. 2022, eq. 9, which is DDIM's step, to eps or v.
torch::Tensor moved(const torch::Tensor& x, const Step& step, const torch::Tensor& output, bool of_v) {
  const double kept = step.to.alpha / step.from.alpha;
  const double alpha = step.from.alpha, sigma = step.from.sigma;
  const auto eps = of_v ? (alpha * output + sigma * x) / (alpha * alpha + sigma * sigma) : output;
  return kept * x + (step.to.sigma - kept * step.from.sigma) * eps;
}

/// Returns eps or v, the network's prediction type, at the start of step i. Here v = alpha eps - sigma x0 for any
/// alpha^2 + sigma^2.
torch::Tensor output_of(const SampleArgs& args, const torch::Tensor& x, std::size_t i, bool of_v) {
  const auto& level = args.steps[i].from;
  const auto estimate = args.denoise(x, {level, i, i});
  return of_v ? level.alpha * estimate.eps - level.sigma * estimate.x0 : estimate.eps;
}

/// Pseudo Runge-Kutta step (eq. 13), in steps of one evaluation each.
class RungeKutta {
 public:
  explicit RungeKutta(bool of_v) : of_v_(of_v) {}

  bool is_under_way() const { return done_ > 0; }

  /// Moves x from the point of its first evaluation, the last time by the mean of all.
  torch::Tensor moved_by(const torch::Tensor& x, const Step& step, const torch::Tensor& output) {
    static constexpr std::array<double, 4> kWeights = {1 / 6.0, 1 / 3.0, 1 / 3.0, 1 / 6.0};
    if (done_ == 0) {
      start_ = x;
      from_ = step.from;
      mean_ = torch::zeros_like(output);
    }
    mean_ = mean_ + kWeights[done_] * output;
    done_ = (done_ + 1) % kWeights.size();
    return moved(start_, {from_, step.to}, done_ == 0 ? mean_ : output, of_v_);
  }

 private:
  bool of_v_;
  std::size_t done_ = 0;
  Level from_;
  torch::Tensor start_, mean_;
};

}  // namespace

torch::Tensor sample_pndm(const SampleArgs& args) {
  constexpr std::size_t kOrder = 4;
  const bool of_v = args.options.prediction_type == "v_prediction";
  auto x = args.x.to(torch::kFloat32);
  auto start = x;
  std::deque<torch::Tensor> past;
  RungeKutta warm_up(of_v);
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& step = args.steps[i];
    const auto output = output_of(args, x, i, of_v);
    if (warm_up.is_under_way() || is_runge_kutta(args.steps, i)) {
      if (!warm_up.is_under_way()) past.push_front(output);
      x = warm_up.moved_by(x, step, output);
    } else if (i == 1 && stays(step)) {
      // From the start of the first step: with linspace and trailing spacing the reference uses a level near it.
      x = moved(start, {step.middle, step.to}, (output + past[0]) / 2, of_v);
    } else {
      past.push_front(output);
      if (past.size() > kOrder) past.pop_back();
      start = x;
      x = moved(x, step, extrapolated(past), of_v);
    }
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
