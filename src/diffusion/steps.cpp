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

/// The noisiest first, with the sigma / alpha of the schedule, linear between timesteps (numpy.interp).
Level interpolated_level(const Schedule& schedule, double t) {
  const auto& ratios = schedule.ratios();
  const auto below = std::min(static_cast<std::size_t>(t), ratios.size() - 1);
  const auto above = std::min(below + 1, ratios.size() - 1);
  auto level = schedule.level_of_ratio(std::lerp(ratios[below], ratios[above], t - static_cast<double>(below)));
  level.t = t;
  return level;
}

std::vector<double> falling(std::vector<double> values) {
  std::reverse(values.begin(), values.end());
  return values;
}

/// EulerDiscreteScheduler's, which keeps them in float32.
std::vector<double> interpolated_timesteps(const ScheduleConfig& config, std::int64_t n) {
  auto ts = falling(rising_timesteps(config, n));
  for (auto& t : ts) t = static_cast<float>(config.timestep_spacing == "linspace" ? t : std::nearbyint(t));
  return ts;
}

/// DPMSolverMultistepScheduler's.
std::vector<double> solver_timesteps(const ScheduleConfig& config, std::int64_t n) {
  if (config.timestep_spacing == "trailing") return interpolated_timesteps(config, n);
  if (n == config.num_train_timesteps) {
    throw std::invalid_argument("steps is " + std::to_string(n) + ", expected fewer than the model's timesteps with " +
                                config.timestep_spacing + " spacing");
  }
  auto ts = falling(rising_timesteps(config, n + 1));
  ts.pop_back();
  for (auto& t : ts) t = std::nearbyint(t);
  return ts;
}

/// Karras et al. 2022, eq. 5, from the noisier ratio to the cleaner.
std::vector<double> karras_ratios(double first, double last, std::int64_t n) {
  constexpr double kRho = 7;
  std::vector<double> ratios;
  for (std::int64_t i = 0; i < n; ++i) {
    const double part = n == 1 ? 0 : static_cast<double>(i) / static_cast<double>(n - 1);
    ratios.push_back(std::pow(std::lerp(std::pow(first, 1 / kRho), std::pow(last, 1 / kRho), part), kRho));
  }
  return ratios;
}

std::vector<Level> levels_of(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  const auto& config = schedule.config();
  const bool is_solver = grid == StepGrid::solver;
  std::vector<Level> levels;
  for (const auto t : is_solver ? solver_timesteps(config, n) : interpolated_timesteps(config, n)) {
    if (t > static_cast<double>(schedule.num_train_timesteps() - 1)) {
      throw std::invalid_argument("steps is " + std::to_string(n) + ", which with steps_offset " +
                                  std::to_string(config.steps_offset) + " starts beyond the model's last timestep, " +
                                  std::to_string(schedule.num_train_timesteps() - 1));
    }
    levels.push_back(interpolated_level(schedule, t));
  }
  if (!config.use_karras_sigmas) return levels;
  const auto ratio = [](const Level& level) { return level.sigma / level.alpha; };
  const double first = is_solver ? schedule.ratios().back() : ratio(levels.front());
  const double last = is_solver ? schedule.ratios().front() : ratio(levels.back());
  levels.clear();
  for (const auto value : karras_ratios(first, last, n)) {
    auto level = schedule.level_of_ratio(value);
    level.t = is_solver ? std::nearbyint(level.t) : static_cast<float>(level.t);
    levels.push_back(level);
  }
  return levels;
}

/// From each level to the next, and from the last to alpha = 1.
std::vector<Step> steps_through(const std::vector<Level>& levels) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < levels.size(); ++i)
    steps.push_back({levels[i], i + 1 < levels.size() ? levels[i + 1] : clean()});
  return steps;
}

}  // namespace

bool goes_by_sigma(StepGrid grid) {
  return grid == StepGrid::interpolated || grid == StepGrid::solver;
}

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
  check_count(schedule, n);
  if (goes_by_sigma(grid)) return steps_through(levels_of(schedule, n, grid));
  std::vector<Level> levels;
  for (const auto t : timesteps(schedule, n)) levels.push_back(schedule.level_at(static_cast<double>(t)));
  if (grid == StepGrid::ancestral) return steps_through(levels);
  const auto stride = static_cast<double>(schedule.num_train_timesteps() / n);
  std::vector<Step> steps;
  for (const auto& from : levels) steps.push_back({from, schedule.level_at(from.t - stride)});
  if (grid == StepGrid::pndm && n > 1) steps.insert(steps.begin() + 1, {levels[1], levels[1]});
  return steps;
}

std::vector<Step> last_steps(const std::vector<Step>& steps, std::int64_t n, double strength) {
  if (!(strength >= 0 && strength <= 1))
    throw std::invalid_argument("strength is " + std::to_string(strength) + ", expected 0 to 1");
  const auto kept = static_cast<std::int64_t>(static_cast<double>(n) * strength);
  if (kept == 0) return {};
  return {steps.begin() + static_cast<std::ptrdiff_t>(n - kept), steps.end()};
}

double initial_noise_scale(const Schedule& schedule, const std::vector<Step>& steps, StepGrid grid) {
  // The others start from unit noise even where alpha > 0 at the first level, as the reference does.
  const bool by_first_level = grid == StepGrid::interpolated && schedule.config().timestep_spacing != "leading";
  return by_first_level ? steps.front().from.sigma : 1;
}

}  // namespace sfumato
