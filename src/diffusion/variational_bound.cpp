#include "diffusion/variational_bound.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "diffusion/process.h"

namespace sfumato {
namespace {

constexpr double kHalfLevel = 1.0 / 255;  // half the distance of neighbouring levels in [-1, 1]
constexpr double kLeastProbability = 1e-12;

/// Approximates the distribution function of the standard normal.
torch::Tensor approximate_normal_cdf(const torch::Tensor& x) {
  return 0.5 * (1 + torch::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))));
}

/// Averages over all but the first dimension, and converts nats to bits.
torch::Tensor bits_of_rows(const torch::Tensor& nats) {
  return nats.flatten(1).mean(1) / M_LN2;
}

torch::Tensor float_table(const std::vector<double>& values, torch::Device device) {
  return torch::tensor(values, torch::kFloat64).to(torch::kFloat32).to(device);
}

std::vector<double> logarithms(std::vector<double> values) {
  for (auto& value : values) value = std::log(value);
  return values;
}

/// Copies timestep 1's value to timestep 0, where the posterior's variance is 0.
std::vector<double> with_second_first(std::vector<double> values, double second) {
  values.front() = second;
  return values;
}

}  // namespace

torch::Tensor normal_kl(const torch::Tensor& mean1, const torch::Tensor& log_variance1, const torch::Tensor& mean2,
                        const torch::Tensor& log_variance2) {
  return 0.5 * (-1.0 + log_variance2 - log_variance1 + torch::exp(log_variance1 - log_variance2) +
                (mean1 - mean2).square() * torch::exp(-log_variance2));
}

torch::Tensor discretized_gaussian_log_likelihood(const torch::Tensor& x, const torch::Tensor& mean,
                                                  const torch::Tensor& log_scale) {
  const auto centered = x - mean, inverse = torch::exp(-log_scale);
  const auto below_upper = approximate_normal_cdf(inverse * (centered + kHalfLevel));
  const auto below_lower = approximate_normal_cdf(inverse * (centered - kHalfLevel));
  const auto logarithm = [](const torch::Tensor& p) { return p.clamp_min(kLeastProbability).log(); };
  return torch::where(x < -0.999, logarithm(below_upper),
                      torch::where(x > 0.999, logarithm(1 - below_lower), logarithm(below_upper - below_lower)));
}

VariationalBound::VariationalBound(const Schedule& schedule, torch::Device device, double clip)
    : type_(parse_prediction_type(schedule.config().prediction_type)),
      clip_(clip),
      learned_(schedule.config().variance_type == "learned_range") {
  const auto& products = schedule.alphas_cumprod();
  const auto& betas = schedule.betas();
  std::vector<double> alphas, sigmas, on_x0, on_xt, variances;
  for (std::size_t t = 0; t < products.size(); ++t) {
    const double before = t == 0 ? 1 : products[t - 1], rest = 1 - products[t];
    alphas.push_back(std::sqrt(products[t]));
    sigmas.push_back(std::sqrt(rest));
    on_x0.push_back(betas[t] * std::sqrt(before) / rest);
    on_xt.push_back((1 - before) * std::sqrt(1 - betas[t]) / rest);
    variances.push_back(betas[t] * (1 - before) / rest);
  }
  const double second = variances.size() > 1 ? variances[1] : betas.front();
  const auto posterior = logarithms(with_second_first(variances, second));
  alphas_ = float_table(alphas, device);
  sigmas_ = float_table(sigmas, device);
  on_x0_ = float_table(on_x0, device);
  on_xt_ = float_table(on_xt, device);
  posterior_log_variance_ = float_table(posterior, device);
  log_betas_ = float_table(logarithms(betas), device);
  const auto& variance = schedule.config().variance_type;
  if (variance == "fixed_large") {
    fixed_log_variance_ = float_table(logarithms(with_second_first(betas, second)), device);
  } else if (variance == "fixed_small" || variance == "fixed_small_log" || learned_) {
    fixed_log_variance_ = posterior_log_variance_;
  } else {
    throw std::invalid_argument("variance_type is '" + variance +
                                "', expected fixed_small, fixed_small_log, fixed_large or learned_range");
  }
}

torch::Tensor VariationalBound::predicted_x0(const torch::Tensor& xt, const torch::Tensor& raw,
                                             const torch::Tensor& t) const {
  const auto output = raw.narrow(1, 0, xt.size(1));
  const auto alpha = at_timesteps(alphas_, t, xt), sigma = at_timesteps(sigmas_, t, xt);
  torch::Tensor x0;
  switch (type_) {
    case PredictionType::epsilon:
      x0 = (xt - sigma * output) / alpha;
      break;
    case PredictionType::v_prediction:
      x0 = alpha * xt - sigma * output;
      break;
    case PredictionType::sample:
      x0 = output;
      break;
    case PredictionType::flow:
      x0 = (xt - sigma * output) / (alpha + sigma);
      break;
  }
  return clip_ > 0 ? x0.clamp(-clip_, clip_) : x0;
}

torch::Tensor VariationalBound::log_variance(const torch::Tensor& xt, const torch::Tensor& raw,
                                             const torch::Tensor& t) const {
  if (!learned_) return at_timesteps(fixed_log_variance_, t, xt).expand_as(xt);
  TORCH_CHECK(raw.size(1) == 2 * xt.size(1), "the network gave ", raw.sizes(), " for x of ", xt.sizes());
  // Nichol & Dhariwal 2021, eq. 15.
  const auto part = (raw.narrow(1, xt.size(1), xt.size(1)) + 1) / 2;
  return part * at_timesteps(log_betas_, t, xt) + (1 - part) * at_timesteps(posterior_log_variance_, t, xt);
}

torch::Tensor VariationalBound::term(const torch::Tensor& x0, const torch::Tensor& xt, const torch::Tensor& raw,
                                     const torch::Tensor& t) const {
  const auto on_x0 = at_timesteps(on_x0_, t, xt), on_xt = at_timesteps(on_xt_, t, xt);
  const auto mean = on_x0 * predicted_x0(xt, raw, t) + on_xt * xt;
  const auto variance = log_variance(xt, raw, t);
  const auto kl = normal_kl(on_x0 * x0 + on_xt * xt, at_timesteps(posterior_log_variance_, t, xt), mean, variance);
  const auto decoder = -discretized_gaussian_log_likelihood(x0, mean, 0.5 * variance);
  return torch::where(t == 0, bits_of_rows(decoder), bits_of_rows(kl));
}

torch::Tensor VariationalBound::prior(const torch::Tensor& x0) const {
  const auto last = torch::full({x0.size(0)}, alphas_.size(0) - 1, x0.options().dtype(torch::kInt64));
  const auto zero = torch::zeros_like(x0);
  return bits_of_rows(
      normal_kl(at_timesteps(alphas_, last, x0) * x0, 2 * at_timesteps(sigmas_, last, x0).log(), zero, zero));
}

}  // namespace sfumato
