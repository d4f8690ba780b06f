#include <algorithm>
#include <cmath>
#include <deque>

#include "diffusion/multistep.h"

namespace sfumato {
namespace {

/// Step of the solver: the noise of its equation and the fresh noise that it draws.
struct SaStep {
  Level from{}, to{};
  double h = 0;    ///< length of the step in lambda
  double tau = 0;  ///< share of the stochastic equation, 0 to 1
  bool of_eps = false;
  torch::Tensor noise{};
};

/// Returns the default tau of SASolverScheduler, for any num_train_timesteps.
double tau_at(const Level& level) {
  return level.t >= 200 && level.t <= 800 ? 1 : 0;
}

/// Returns integrals over v from 0 to h of e^(rate (v - h)) v^k, for k below `count`.
std::vector<double> exponential_moments(double rate, double h, std::size_t count) {
  std::vector<double> moments = {-std::expm1(-rate * h) / rate};
  for (std::size_t k = 1; k < count; ++k)
    moments.push_back((std::pow(h, k) - static_cast<double>(k) * moments.back()) / rate);
  return moments;
}

/// Returns the coefficients, constant first, of the polynomial that is 1 at nodes[i] and 0 at the others.
std::vector<double> lagrange_polynomial(const std::vector<double>& nodes, std::size_t i) {
  std::vector<double> polynomial = {1};
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    if (j == i) continue;
    const double slope = 1 / (nodes[i] - nodes[j]);
    polynomial.push_back(0);
    for (std::size_t k = polynomial.size(); k-- > 0;)
      polynomial[k] = slope * ((k > 0 ? polynomial[k - 1] : 0) - nodes[j] * polynomial[k]);
  }
  return polynomial;
}

/// Returns the weight of the prediction at each node (the paper's b_i; Xue et al. 2023, eq. 15 and 18). For second
/// order, the reference uses h^2 / 2 as the first moment of x0, which changes x by O(h^3).
std::vector<double> sa_weights(const SaStep& step, const std::deque<SolverPrediction>& predictions) {
  const double scale = 1 + step.tau * step.tau;
  auto moments = exponential_moments(step.of_eps ? -1 : scale, step.h, predictions.size());
  if (predictions.size() == 2 && !step.of_eps) moments[1] = step.h * step.h / 2;
  std::vector<double> nodes, weights;  // nodes in lambda from the step's start
  for (const auto& prediction : predictions) nodes.push_back(prediction.lambda - half_log_snr(step.from));
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto polynomial = lagrange_polynomial(nodes, i);
    double integral = 0;
    for (std::size_t k = 0; k < polynomial.size(); ++k) integral += polynomial[k] * moments[k];
    weights.push_back((step.of_eps ? -scale * step.to.sigma : scale * step.to.alpha) * integral);
  }
  return weights;
}

/// Returns x at the step's end, from predictions before it (SA-Predictor) or also the one at its end (SA-Corrector).
torch::Tensor sa_moved(const torch::Tensor& x, const SaStep& step, const std::deque<SolverPrediction>& predictions) {
  const auto& [from, to, h, tau, of_eps, noise] = step;
  const double kept = of_eps ? to.alpha / from.alpha : std::exp(-tau * tau * h) * to.sigma / from.sigma;
  const double fresh = of_eps ? tau * std::sqrt(std::expm1(2 * h)) : std::sqrt(-std::expm1(-2 * tau * tau * h));
  auto result = kept * x + to.sigma * fresh * noise;
  const auto weights = sa_weights(step, predictions);
  for (std::size_t i = 0; i < weights.size(); ++i) result = result + weights[i] * predictions[i].value;
  return result;
}

/// Returns the newest `order` predictions, but at most `most` and at most all of them.
std::deque<SolverPrediction> newest(const std::deque<SolverPrediction>& all, std::int64_t order, std::size_t most) {
  const auto count = std::min({static_cast<std::size_t>(order), most, all.size()});
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

torch::Tensor sample_sa_solver(const SampleArgs& args) {
  const auto& solver = args.options.solver;
  const auto most_left = [&](std::size_t i) {
    return solver.lower_order_final ? args.steps.size() - i : args.steps.size() + 1;
  };
  auto x = args.x.to(torch::kFloat32);
  torch::Tensor before_step;
  SaStep step{.of_eps = solver.algorithm_type == "noise_prediction"};
  std::deque<SolverPrediction> past;  // newest first
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& [from, to, middle] = args.steps[i];
    const auto estimate = args.denoise(x, {from, i, i});
    past.push_front({half_log_snr(from), step.of_eps ? estimate.eps : estimate.x0});
    if (i > 0) x = sa_moved(before_step, step, newest(past, solver.corrector_order, most_left(i - 1) + 1));
    step.from = from;
    step.to = to;
    step.h = half_log_snr(to) - half_log_snr(from);
    step.tau = tau_at(from);
    step.noise = args.noise.draw_like(x);
    before_step = x;
    x = sa_moved(x, step, newest(past, solver.predictor_order, most_left(i)));
    past.resize(std::min<std::size_t>(past.size(), 3));
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
