#include "diffusion/steps.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "diffusion/continuous_process.h"
#include "diffusion/pndm_steps.h"
#include "diffusion/restart.h"
#include "diffusion/sigma_schedules.h"
#include "diffusion/timesteps.h"

namespace sfumato {
namespace {

Level clean() {
  return {.t = 0, .alpha = 1, .sigma = 0};
}

/// Interpolates the schedule's sigma / alpha linearly between timesteps (numpy.interp).
Level interpolated_level(const Schedule& schedule, double t) {
  const auto& ratios = schedule.ratios();
  const auto below = std::min(static_cast<std::size_t>(t), ratios.size() - 1);
  const auto above = std::min(below + 1, ratios.size() - 1);
  auto level = schedule.level_of_ratio(std::lerp(ratios[below], ratios[above], t - static_cast<double>(below)));
  level.t = t;
  return level;
}

/// Returns the network's timestep for a level between the model's: integers for the solvers, which the
/// reference rounds or truncates, and for KDPM2's only if it rounds.
double told_timestep(const ScheduleConfig& config, double t, StepGrid grid) {
  const bool whole = find_sigma_schedule(config.sigma_schedule).whole_timesteps;
  if (grid == StepGrid::kdpm2 || grid == StepGrid::kdpm2_ancestral) return whole ? std::nearbyint(t) : t;
  if (!is_solver(grid)) return static_cast<float>(t);
  const bool rounds = whole && (grid != StepGrid::solver || config.beta_schedule != "squaredcos_cap_v2");
  return rounds ? std::nearbyint(t) : std::trunc(t);
}

bool is_log_linear(const Schedule& schedule, StepGrid grid) {
  return grid == StepGrid::interpolated && schedule.config().interpolation_type == "log_linear";
}

/// Returns levels from the schedule's noisiest in equal factors; as many factors as levels would lead to its cleanest.
/// The network's timesteps stay unchanged, as in the reference.
std::vector<Level> log_linear_levels(const Schedule& schedule, const std::vector<Level>& told) {
  const double first = schedule.ratios().back(), last = schedule.ratios().front();
  std::vector<Level> levels;
  for (std::size_t i = 0; i < told.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(told.size());
    levels.push_back(schedule.level_of_ratio(first * std::pow(last / first, part)));
    levels.back().t = told[i].t;
  }
  return levels;
}

std::vector<double> timesteps_of(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  if (!is_solver(grid)) return interpolated_timesteps(schedule, n);
  if (grid != StepGrid::singlestep) return solver_timesteps(schedule, n);
  auto config = schedule.config();
  config.timestep_spacing = "linspace";
  return solver_timesteps(Schedule(config), n);
}

std::vector<Level> levels_of(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  std::vector<Level> levels;
  for (const auto t : timesteps_of(schedule, n, grid)) levels.push_back(interpolated_level(schedule, t));
  const auto& config = schedule.config();
  const auto& spacing = find_sigma_schedule(config.sigma_schedule);
  const bool log_linear = is_log_linear(schedule, grid), whole = is_solver(grid) || log_linear;
  if (spacing.ratios == nullptr) return log_linear ? log_linear_levels(schedule, levels) : levels;
  const double first = whole ? schedule.ratios().back() : levels.front().ratio();
  const double last = whole ? schedule.ratios().front() : levels.back().ratio();
  const SigmaRange range{
      .schedule = schedule, .first = config.sigma_max.value_or(first), .last = config.sigma_min.value_or(last), .n = n};
  levels.clear();
  for (const auto ratio : spacing.ratios(range)) {
    auto level = schedule.level_of_ratio(ratio);
    level.t = told_timestep(config, level.t, grid);
    levels.push_back(level);
  }
  return levels;
}

/// Returns the end of levels that do not end clean: for DEIS with a sigma_min, the last of them, else timestep 0.
Level noisy_end(const Schedule& schedule, StepGrid grid, const std::vector<Level>& levels) {
  const auto& config = schedule.config();
  if (grid == StepGrid::deis && config.sigma_min && config.sigma_schedule != "discrete") return levels.back();
  auto level = schedule.level_at(0);
  if (!is_solver(grid)) level = {.t = level.t, .alpha = 1, .sigma = level.ratio()};
  return level;
}

/// Returns the steps from each level to the next, and from the last to `end`.
std::vector<Step> steps_through(const std::vector<Level>& levels, const Level& end) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < levels.size(); ++i)
    steps.push_back({levels[i], i + 1 < levels.size() ? levels[i + 1] : end});
  return steps;
}

/// Adds the level at which the sampler of a grid stops within each step.
std::vector<Step> with_middles(const Schedule& schedule, std::vector<Step> steps, StepGrid grid) {
  const bool has_middle = grid == StepGrid::midpoint || grid == StepGrid::kdpm2 || grid == StepGrid::kdpm2_ancestral;
  for (auto& [from, to, middle] : steps) {
    if (!has_middle || to.sigma == 0) continue;
    // Half way in log(sigma / alpha) to the target of an ancestral step, to^2 / from, is `to`.
    const bool is_ancestral = grid == StepGrid::kdpm2_ancestral;
    middle = schedule.level_of_ratio(is_ancestral ? to.ratio() : std::sqrt(from.ratio() * to.ratio()));
  }
  return steps;
}

std::vector<Step> steps_by_sigma(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  const auto& config = schedule.config();
  const bool ends_noisy = grid == StepGrid::deis || config.final_sigmas_type == "sigma_min" ||
                          (is_log_linear(schedule, grid) && config.sigma_schedule == "discrete");
  auto levels = levels_of(schedule, n, grid);
  if (grid == StepGrid::interpolated && config.timestep_type == "continuous" &&
      config.prediction_type == "v_prediction")
    for (auto& level : levels) level.t = std::log(level.ratio()) / 4;
  return with_middles(schedule, steps_through(levels, ends_noisy ? noisy_end(schedule, grid, levels) : clean()), grid);
}

std::vector<Level> levels_at(const Schedule& schedule, const std::vector<std::int64_t>& timesteps) {
  std::vector<Level> levels;
  for (const auto t : timesteps) levels.push_back(schedule.level_at(static_cast<double>(t)));
  return levels;
}

/// Zheng et al. 2024, section 4.3: down to s = (1 - gamma) t' on the way to t'. In float32 as in the reference, because
/// the product is truncated.
std::vector<Step> tcd_steps(const Schedule& schedule, std::int64_t n) {
  const auto kept = static_cast<float>(1 - schedule.config().gamma);
  auto steps = steps_through(levels_at(schedule, consistency_timesteps(schedule, n)), schedule.level_at(0));
  for (auto& step : steps) step.middle = schedule.level_at(std::floor(kept * static_cast<float>(step.to.t)));
  return steps;
}

std::vector<Step> ddim_steps(const Schedule& schedule, std::int64_t n) {
  const auto froms = levels_at(schedule, timesteps(schedule, n));
  const auto stride = static_cast<double>(schedule.num_train_timesteps() / n);
  std::vector<Step> steps;
  for (const auto& from : froms) steps.push_back({from, schedule.level_at(from.t - stride)});
  return steps;
}

/// Returns the steps of a continuous process. They end at its last level above 0 if the grid or final_sigmas_type does,
/// with alpha = 1 as in the reference.
std::vector<Step> continuous_steps(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  if (n < 1) throw std::invalid_argument("steps is " + std::to_string(n) + ", expected at least 1");
  std::vector<Level> levels;
  for (const auto time : schedule.continuous()->times(schedule, n))
    levels.push_back(schedule.continuous()->level_at(schedule.config(), time));
  const bool ends_noisy = grid == StepGrid::deis || schedule.config().final_sigmas_type == "sigma_min";
  const auto& last = levels.back();
  const auto end = ends_noisy ? Level{.t = last.t, .alpha = 1, .sigma = last.ratio()} : clean();
  auto steps = with_middles(schedule, steps_through(levels, end), grid);
  if (grid == StepGrid::pndm && n > 1) steps.insert(steps.begin() + 1, {levels[1], levels[1], levels[0]});
  return grid == StepGrid::restart ? with_restarts(schedule, steps) : steps;
}

}  // namespace

bool stays(const Step& step) {
  return step.from.t == step.to.t && step.from.alpha == step.to.alpha;
}

bool keeps_ratio(const Step& step) {
  constexpr double kRounding = 1e-12;
  return step.to.sigma > 0 && std::abs(step.to.ratio() / step.from.ratio() - 1) < kRounding;
}

RatioSpan ratio_span(const std::vector<Step>& steps) {
  RatioSpan span;
  for (const auto& step : steps)
    for (const double ratio : {step.from.ratio(), step.to.ratio()}) {
      span.largest = std::max(span.largest, ratio);
      if (ratio > 0 && (span.least == 0 || ratio < span.least)) span.least = ratio;
    }
  return span;
}

bool is_solver(StepGrid grid) {
  switch (grid) {
    case StepGrid::solver:
    case StepGrid::unipc:
    case StepGrid::singlestep:
    case StepGrid::deis:
      return true;
    default:
      return false;
  }
}

bool goes_by_sigma(StepGrid grid) {
  switch (grid) {
    case StepGrid::interpolated:
    case StepGrid::restart:
    case StepGrid::midpoint:
    case StepGrid::kdpm2:
    case StepGrid::kdpm2_ancestral:
      return true;
    default:
      return is_solver(grid);
  }
}

std::vector<Step> make_steps(const Schedule& schedule, std::int64_t n, StepGrid grid) {
  if (schedule.continuous() && grid != StepGrid::tcd) return continuous_steps(schedule, n, grid);
  switch (grid) {
    case StepGrid::ddim:
      return ddim_steps(schedule, n);
    case StepGrid::pndm:
      return pndm_steps(schedule, ddim_steps(schedule, n));
    case StepGrid::ancestral:
      return steps_through(levels_at(schedule, timesteps(schedule, n)), clean());
    case StepGrid::lcm:
      return steps_through(levels_at(schedule, consistency_timesteps(schedule, n)), clean());
    case StepGrid::tcd:
      return tcd_steps(schedule, n);
    case StepGrid::restart:
      return with_restarts(schedule, steps_by_sigma(schedule, n, grid));
    default:
      return steps_by_sigma(schedule, n, grid);
  }
}

bool is_runge_kutta(const std::vector<Step>& steps, std::size_t first) {
  // Others always follow, which distinguishes it from the end of a few steps of StepGrid::pndm.
  return first + 4 < steps.size() && stays(steps[first + 1]) && stays(steps[first + 3]);
}

std::vector<Step> without_first(const std::vector<Step>& steps, std::int64_t skipped) {
  std::size_t first = 0;
  double reached = steps.front().from.ratio();
  while (skipped > 0 || steps[first].from.ratio() > reached) {
    const bool of_restart = steps[first].from.ratio() > reached;
    first += is_runge_kutta(steps, first) ? 4 : 1;
    if (of_restart) continue;
    --skipped;
    reached = steps[first - 1].to.ratio();
  }
  std::vector<Step> left;
  std::copy_if(steps.begin() + static_cast<std::ptrdiff_t>(first), steps.end(), std::back_inserter(left),
               [&](const Step& step) { return step.from.ratio() <= steps[first].from.ratio(); });
  return left;
}

std::vector<Step> last_steps(const std::vector<Step>& steps, std::int64_t n, double strength) {
  if (!(strength >= 0 && strength <= 1))
    throw std::invalid_argument("strength is " + std::to_string(strength) + ", expected 0 to 1");
  const auto kept = static_cast<std::int64_t>(static_cast<double>(n) * strength);
  return kept == 0 ? std::vector<Step>() : without_first(steps, n - kept);
}

double initial_noise_scale(const Schedule& schedule, const std::vector<Step>& steps, StepGrid grid) {
  if (schedule.continuous()) return schedule.continuous()->initial_noise(schedule.config(), steps.front().from);
  // The others start from unit noise even if alpha > 0 at the first level, as in the reference.
  const bool by_first_level =
      goes_by_sigma(grid) && !is_solver(grid) && schedule.config().timestep_spacing != "leading";
  return by_first_level ? steps.front().from.sigma : 1;
}

}  // namespace sfumato
