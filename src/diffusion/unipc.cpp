#include <algorithm>
#include <cmath>
#include <deque>

#include "diffusion/multistep.h"

namespace sfumato {
namespace {

/// A passed level and the prediction there, x0 or eps.
struct Node {
  double lambda;
  torch::Tensor predicted;
};

/// Step that UniPC predicts and corrects, in the paper's terms.
struct UniPcStep {
  ExponentialStep exact;
  double b;                ///< B(h)
  std::deque<Node> nodes;  ///< newest first, the step's own; as many as its order
};

/// Returns r_1 to r_p-1 of the paper: the positions of the nodes before the step's own, in units of the step.
std::vector<double> node_places(const UniPcStep& step) {
  std::vector<double> places;
  for (std::size_t k = 1; k < step.nodes.size(); ++k)
    places.push_back((step.nodes[k].lambda - step.nodes[0].lambda) / step.exact.h);
  return places;
}

/// Returns the paper's a of R(h) a B(h) = phi(h) (eq. 5); a row of R holds a power of all r.
std::vector<double> solved_weights(const std::vector<double>& places, const UniPcStep& step) {
  const auto count = static_cast<std::int64_t>(places.size());
  const auto r = torch::tensor(places, torch::kFloat64);
  std::vector<torch::Tensor> powers;
  std::vector<double> right;
  double phi = std::expm1(step.exact.decay) / step.exact.decay - 1, factorial = 1;
  for (std::int64_t k = 0; k < count; ++k) {
    powers.push_back(r.pow(k));
    right.push_back(phi * factorial / step.b);
    factorial *= static_cast<double>(k + 2);
    phi = phi / step.exact.decay - 1 / factorial;
  }
  const auto a = torch::linalg_solve(torch::stack(powers), torch::tensor(right, torch::kFloat64));
  return {a.data_ptr<double>(), a.data_ptr<double>() + count};
}

/// Returns x at the step's end: the solution for a constant prediction, and `change` with the weight B(h).
torch::Tensor unipc_moved(const torch::Tensor& x, const UniPcStep& step, const torch::Tensor& change) {
  const auto& exact = step.exact;
  const auto constant = exact.kept * x - exact.gained * std::expm1(exact.decay) * step.nodes[0].predicted;
  return change.defined() ? constant - exact.gained * step.b * change : constant;
}

/// Returns the sum of a_k D_k / r_k over the nodes before the step's own; undefined if there are none.
torch::Tensor change_of_nodes(const UniPcStep& step, const std::vector<double>& places, const std::vector<double>& a) {
  torch::Tensor sum;
  for (std::size_t k = 0; k < places.size(); ++k) {
    const auto term = a[k] / places[k] * (step.nodes[k + 1].predicted - step.nodes[0].predicted);
    sum = sum.defined() ? sum + term : term;
  }
  return sum;
}

/// Applies UniP (algorithm 6). For second order, a is 1/2 for either B(h).
torch::Tensor predicted(const torch::Tensor& x, const UniPcStep& step) {
  const auto places = node_places(step);
  if (places.empty()) return unipc_moved(x, step, {});
  const auto a = places.size() == 1 ? std::vector<double>{0.5} : solved_weights(places, step);
  return unipc_moved(x, step, change_of_nodes(step, places, a));
}

/// Applies UniC (algorithm 5): repeats the step from x with the prediction `at_end`, where r is 1. For first order, a
/// is 1/2.
torch::Tensor corrected(const torch::Tensor& x, const UniPcStep& step, const torch::Tensor& at_end) {
  auto places = node_places(step);
  auto with_end = places;
  with_end.push_back(1);
  const auto a = places.empty() ? std::vector<double>{0.5} : solved_weights(with_end, step);
  const auto change = a.back() * (at_end - step.nodes[0].predicted);
  return unipc_moved(x, step, places.empty() ? change : change + change_of_nodes(step, places, a));
}

std::size_t unipc_order(const SampleArgs& args, std::size_t i) {
  const auto left = args.steps.size() - i;
  const auto order = std::min(static_cast<std::size_t>(args.options.solver.solver_order), i + 1);
  if (is_of_first_order(args.steps[i])) return 1;
  return args.options.solver.lower_order_final ? std::min(order, left) : order;
}

bool corrects(const SampleArgs& args, std::size_t i) {
  const auto& disabled = args.options.solver.disable_corrector;
  return std::find(disabled.begin(), disabled.end(), static_cast<std::int64_t>(args.skipped + i)) == disabled.end();
}

}  // namespace

torch::Tensor sample_unipc(const SampleArgs& args) {
  const auto& solver = args.options.solver;
  auto x = args.x.to(torch::kFloat32);
  torch::Tensor before_step;
  UniPcStep step{};
  for (std::size_t i = 0; i < args.steps.size(); ++i) {
    const auto& from = args.steps[i].from;
    const auto estimate = args.denoise(x, {from, i, i});
    const auto prediction = solver.predict_x0 ? estimate.x0 : estimate.eps;
    if (i > 0 && corrects(args, i - 1)) x = corrected(before_step, step, prediction);
    step.nodes.push_front({half_log_snr(from), prediction});
    step.nodes.resize(unipc_order(args, i));
    step.exact = solver.predict_x0 ? ExponentialStep::of_x0(args.steps[i]) : ExponentialStep::of_eps(args.steps[i]);
    step.b = solver.solver_type == "bh1" ? step.exact.decay : std::expm1(step.exact.decay);
    before_step = x;
    x = predicted(x, step);
    if (!report_step(args, i, x)) break;
  }
  return x;
}

}  // namespace sfumato
