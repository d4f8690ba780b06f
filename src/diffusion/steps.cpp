#include "diffusion/steps.h"

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

/// Rising timesteps before rounding. Rounding is numpy's, half to even, which nearbyint does.
std::vector<double> rising_timesteps(const ScheduleConfig& config, std::int64_t n) {
  const auto total = static_cast<double>(config.num_train_timesteps);
  std::vector<double> values(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto index = static_cast<double>(i);
    if (config.timestep_spacing == "linspace") {
      values[i] = n == 1 ? 0 : i == n - 1 ? total - 1 : index * ((total - 1) / static_cast<double>(n - 1));
    } else if (config.timestep_spacing == "leading") {
      values[i] = static_cast<double>(i * (config.num_train_timesteps / n) + config.steps_offset);
    } else {
      // numpy.arange(total, 0, -ratio) multiplies what is left of ratio after total - ratio was rounded.
      const double ratio = (total - total / static_cast<double>(n)) - total;
      values[i] = std::nearbyint(total + static_cast<double>(n - 1 - i) * ratio) - 1;
    }
  }
  return values;
}

Level clean() {
  return {.t = 0, .alpha = 1, .sigma = 0};
}

}  // namespace

std::vector<std::int64_t> timesteps(const Schedule& schedule, std::int64_t n) {
  check_count(schedule, n);
  std::vector<std::int64_t> falling;
  for (const auto t : rising_timesteps(schedule.config(), n))
    falling.push_back(static_cast<std::int64_t>(std::nearbyint(t)));
  std::reverse(falling.begin(), falling.end());
  if (falling.front() >= schedule.num_train_timesteps()) {
    throw std::invalid_argument("steps is " + std::to_string(n) + ", which with steps_offset " +
                                std::to_string(schedule.config().steps_offset) + " starts at timestep " +
                                std::to_string(falling.front()) + ", beyond the model's last, " +
                                std::to_string(schedule.num_train_timesteps() - 1));
  }
  return falling;
}

std::vector<Step> make_steps(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  const auto ts = timesteps(schedule, n);
  const auto stride = schedule.num_train_timesteps() / n;
  std::vector<Step> steps;
  for (std::size_t i = 0; i < ts.size(); ++i) {
    const auto from = schedule.level_at(static_cast<double>(ts[i]));
    if (grid == StepGrid::ddim) {
      steps.push_back({from, schedule.level_at(static_cast<double>(ts[i] - stride))});
    } else {
      steps.push_back({from, i + 1 < ts.size() ? schedule.level_at(static_cast<double>(ts[i + 1])) : clean()});
    }
  }
  return steps;
}

std::vector<Step> last_steps(const std::vector<Step>& steps, double strength) {
  if (!(strength >= 0 && strength <= 1))
    throw std::invalid_argument("strength is " + std::to_string(strength) + ", expected 0 to 1");
  const auto count = std::min(steps.size(), static_cast<std::size_t>(static_cast<double>(steps.size()) * strength));
  return {steps.end() - static_cast<std::ptrdiff_t>(count), steps.end()};
}

double initial_noise_scale(const Schedule&, const std::vector<Step>&, StepGrid) {
  // Both grids start from unit noise even where alpha > 0 at the first level, as the reference does.
  return 1;
}

}  // namespace sfumato
