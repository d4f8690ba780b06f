#include "diffusion/timesteps.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace sfumato {
namespace {

void check_count(const Schedule& schedule, std::int64_t n) {
  if (n >= 1 && n <= schedule.num_train_timesteps()) return;
  throw std::invalid_argument("steps is " + std::to_string(n) + ", expected 1 to " +
                              std::to_string(schedule.num_train_timesteps()) +
                              ", the timesteps that the model was trained with");
}

void check_first(const Schedule& schedule, std::int64_t n, double first) {
  const auto last = schedule.num_train_timesteps() - 1;
  if (first <= static_cast<double>(last)) return;
  throw std::invalid_argument("steps is " + std::to_string(n) + ", which with steps_offset " +
                              std::to_string(schedule.config().steps_offset) + " starts at timestep " +
                              std::to_string(static_cast<std::int64_t>(first)) + ", beyond the model's last, " +
                              std::to_string(last));
}

/// Returns falling timesteps before rounding, of the first `count` of the model's. Rounding is numpy's, half to even,
/// like nearbyint.
std::vector<double> spaced_timesteps(const ScheduleConfig& config, std::int64_t n, std::int64_t count) {
  const auto total = static_cast<double>(count);
  std::vector<double> values(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto index = static_cast<double>(n - 1 - i);
    if (config.timestep_spacing == "linspace") {
      values[i] = n == 1 ? 0 : i == 0 ? total - 1 : index * ((total - 1) / static_cast<double>(n - 1));
    } else if (config.timestep_spacing == "leading") {
      values[i] = static_cast<double>((n - 1 - i) * (count / n) + config.steps_offset);
    } else {
      // numpy.arange(total, 0, -ratio) multiplies the rest of ratio after total - ratio was rounded.
      const double ratio = (total - total / static_cast<double>(n)) - total;
      values[i] = std::nearbyint(total + static_cast<double>(i) * ratio) - 1;
    }
  }
  return values;
}

/// Returns the number of the model's timesteps with -log(sigma / alpha) of at least lambda_min_clipped.
std::int64_t unclipped_timesteps(const Schedule& schedule) {
  const auto& clipped = schedule.config().lambda_min_clipped;
  if (!clipped) return schedule.num_train_timesteps();
  const auto& ratios = schedule.ratios();
  return std::upper_bound(ratios.begin(), ratios.end(), std::exp(-*clipped)) - ratios.begin();
}

}  // namespace

std::vector<std::int64_t> timesteps(const Schedule& schedule, std::int64_t n) {
  check_count(schedule, n);
  std::vector<std::int64_t> rounded;
  for (const auto t : spaced_timesteps(schedule.config(), n, schedule.num_train_timesteps()))
    rounded.push_back(static_cast<std::int64_t>(std::nearbyint(t)));
  check_first(schedule, n, static_cast<double>(rounded.front()));
  return rounded;
}

std::vector<double> interpolated_timesteps(const Schedule& schedule, std::int64_t n) {
  check_count(schedule, n);
  const auto& config = schedule.config();
  auto ts = spaced_timesteps(config, n, config.num_train_timesteps);
  for (auto& t : ts) t = static_cast<float>(config.timestep_spacing == "linspace" ? t : std::nearbyint(t));
  check_first(schedule, n, ts.front());
  return ts;
}

std::vector<double> solver_timesteps(const Schedule& schedule, std::int64_t n) {
  const auto& config = schedule.config();
  if (config.timestep_spacing == "trailing") return interpolated_timesteps(schedule, n);
  check_count(schedule, n);
  if (n == config.num_train_timesteps) {
    throw std::invalid_argument("steps is " + std::to_string(n) + ", expected fewer than the model's timesteps with " +
                                config.timestep_spacing + " spacing");
  }
  auto ts = spaced_timesteps(config, n + 1, unclipped_timesteps(schedule));
  ts.pop_back();
  for (auto& t : ts) t = std::nearbyint(t);
  check_first(schedule, n, ts.front());
  return ts;
}

std::vector<std::int64_t> consistency_timesteps(const Schedule& schedule, std::int64_t n) {
  check_count(schedule, n);
  const auto original = schedule.config().original_inference_steps;
  if (original > schedule.num_train_timesteps()) {
    throw std::invalid_argument("original_inference_steps is " + std::to_string(original) + ", expected at most " +
                                std::to_string(schedule.num_train_timesteps()) + ", the model's timesteps");
  }
  if (n > original) {
    throw std::invalid_argument("steps is " + std::to_string(n) + ", expected 1 to " + std::to_string(original) +
                                ", the original_inference_steps of a consistency model");
  }
  const auto stride = schedule.num_train_timesteps() / original;
  const double skipped = static_cast<double>(original) / static_cast<double>(n);
  std::vector<std::int64_t> ts;
  for (std::int64_t i = 0; i < n; ++i)
    ts.push_back((original - static_cast<std::int64_t>(static_cast<double>(i) * skipped)) * stride - 1);
  return ts;
}

}  // namespace sfumato
