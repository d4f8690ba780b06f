#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "diffusion/continuous_process.h"

namespace sfumato {
namespace {

/// FP16's smallest positive subnormal: diffusers replaces a zero alphas_cumprod by it before dividing.
const double kSmallestAlphaCumprod = std::ldexp(1.0, -24);

std::vector<double> linspace(double start, double end, std::int64_t count) {
  std::vector<double> values(count, start);
  for (std::int64_t i = 1; i < count; ++i) values[i] = start + (end - start) * i / (count - 1);
  return values;
}

/// Nichol & Dhariwal 2021, eq. 17, with beta capped at 0.999.
std::vector<double> cosine_betas(std::int64_t count) {
  const auto alpha_bar = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * M_PI / 2), 2); };
  std::vector<double> betas(count);
  for (std::int64_t i = 0; i < count; ++i)
    betas[i] = std::min(1 - alpha_bar((i + 1.0) / count) / alpha_bar(static_cast<double>(i) / count), 0.999);
  return betas;
}

std::vector<double> betas_of(const ScheduleConfig& config) {
  if (config.trained_betas) return *config.trained_betas;
  if (config.beta_schedule == "squaredcos_cap_v2") return cosine_betas(config.num_train_timesteps);
  if (config.beta_schedule == "linear") return linspace(config.beta_start, config.beta_end, config.num_train_timesteps);
  auto betas = linspace(std::sqrt(config.beta_start), std::sqrt(config.beta_end), config.num_train_timesteps);
  for (auto& beta : betas) beta *= beta;
  return betas;
}

std::vector<double> cumulative_alphas(const std::vector<double>& betas) {
  std::vector<double> products(betas.size());
  double product = 1;
  for (std::size_t t = 0; t < betas.size(); ++t) products[t] = product *= 1 - betas[t];
  return products;
}

/// Lin et al. 2023, algorithm 1: shifts and scales sqrt(alphas_cumprod) so that the last is 0, the first unchanged.
void rescale_zero_terminal_snr(std::vector<double>& alphas_cumprod) {
  const double first = std::sqrt(alphas_cumprod.front());
  const double last = std::sqrt(alphas_cumprod.back());
  for (auto& value : alphas_cumprod) value = std::pow((std::sqrt(value) - last) * first / (first - last), 2);
}

double ratio_of(double alpha_cumprod) {
  return std::sqrt((1 - alpha_cumprod) / alpha_cumprod);
}

Level level_of(double t, double alpha_cumprod) {
  return {.t = t, .alpha = std::sqrt(alpha_cumprod), .sigma = std::sqrt(1 - alpha_cumprod)};
}

}  // namespace

Schedule::Schedule(ScheduleConfig config)
    : config_(std::move(config)), continuous_(find_continuous_process(config_.process)) {
  config_.validate();
  if (continuous_) return;
  betas_ = betas_of(config_);
  alphas_cumprod_ = cumulative_alphas(betas_);
  if (config_.rescale_betas_zero_snr) {
    if (alphas_cumprod_.size() < 2)
      throw std::invalid_argument("rescale_betas_zero_snr needs num_train_timesteps of at least 2");
    rescale_zero_terminal_snr(alphas_cumprod_);
    for (std::size_t t = 0; t < betas_.size(); ++t)
      betas_[t] = 1 - alphas_cumprod_[t] / (t == 0 ? 1 : alphas_cumprod_[t - 1]);
  }
  for (const auto value : alphas_cumprod_) ratios_.push_back(ratio_of(value));
  if (config_.rescale_betas_zero_snr) ratios_.back() = ratio_of(kSmallestAlphaCumprod);
}

Level Schedule::level_at(double t) const {
  if (t < 0) return final_level();
  if (!(t <= static_cast<double>(num_train_timesteps() - 1))) {
    throw std::invalid_argument("timestep " + std::to_string(t) + " lies beyond the schedule's last, " +
                                std::to_string(num_train_timesteps() - 1));
  }
  const auto below = static_cast<std::size_t>(t);
  if (static_cast<double>(below) == t) return level_of(t, alphas_cumprod()[below]);
  const double part = t - static_cast<double>(below);
  const auto& all = ratios();
  const double ratio = std::exp((1 - part) * std::log(all[below]) + part * std::log(all[below + 1]));
  return level_of(t, 1 / (1 + ratio * ratio));
}

const std::vector<double>& Schedule::of_timesteps(const std::vector<double>& table) const {
  if (continuous_)
    throw std::invalid_argument("scheduler is " + config_.class_name +
                                ", expected one with numbered timesteps, as DDIMScheduler");
  return table;
}

Level Schedule::final_level() const {
  if (continuous_) return {};
  return level_of(0, config_.set_alpha_to_one ? 1.0 : alphas_cumprod_.front());
}

double Schedule::t_at(double ratio) const {
  if (ratio <= ratios().front()) return 0;
  if (ratio >= ratios_.back()) return static_cast<double>(ratios_.size() - 1);
  const auto above = std::upper_bound(ratios_.begin(), ratios_.end(), ratio);
  const auto below = above - 1;
  const double part = std::log(ratio / *below) / std::log(*above / *below);
  return static_cast<double>(below - ratios_.begin()) + part;
}

Level Schedule::level_of_ratio(double ratio) const {
  if (continuous_) return continuous_->level_at(config_, continuous_->time_at(ratio));
  const double alpha = 1 / std::sqrt(1 + ratio * ratio);
  return {.t = t_at(ratio), .alpha = alpha, .sigma = ratio * alpha};
}

torch::Tensor add_noise(const torch::Tensor& x0, const torch::Tensor& noise, const Level& level) {
  TORCH_CHECK(x0.sizes() == noise.sizes(), "x0 is ", x0.sizes(), " and noise ", noise.sizes());
  return x0.to(torch::kFloat32) * level.alpha + noise.to(torch::kFloat32) * level.sigma;
}

}  // namespace sfumato
