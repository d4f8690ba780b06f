#include "diffusion/pndm_steps.h"

#include <stdexcept>

namespace sfumato {
namespace {

/// Splits each of the first three of DDIM's steps into four.
std::vector<Step> with_warm_up(const Schedule& schedule, const std::vector<Step>& ddim) {
  constexpr std::size_t kWarmUp = 3;
  if (ddim.size() <= kWarmUp)
    throw std::invalid_argument("steps is " + std::to_string(ddim.size()) +
                                ", expected at least 4 with this model's scheduler, whose skip_prk_steps is false");
  const auto half = static_cast<double>(schedule.num_train_timesteps() / static_cast<std::int64_t>(ddim.size()) / 2);
  std::vector<Step> steps;
  for (std::size_t i = 0; i < kWarmUp; ++i) {
    const auto &from = ddim[i].from, &to = ddim[i + 1].from;
    // With an odd stride, the network's timestep for the middle differs from the level that x reaches.
    const auto middle = schedule.level_at(to.t + half);
    steps.insert(steps.end(), {{from, schedule.level_at(from.t - half)}, {middle, middle}, {middle, to}, {to, to}});
  }
  steps.insert(steps.end(), ddim.begin() + kWarmUp, ddim.end());
  return steps;
}

/// Returns the start of a step of DDIM's stride to `to`.
Level level_before(const Schedule& schedule, const Level& to, std::int64_t n) {
  return schedule.level_at(to.t + static_cast<double>(schedule.num_train_timesteps() / n));
}

}  // namespace

std::vector<Step> pndm_steps(const Schedule& schedule, std::vector<Step> ddim) {
  if (!schedule.config().skip_prk_steps) return with_warm_up(schedule, ddim);
  const auto n = static_cast<std::int64_t>(ddim.size());
  if (n > 1) ddim.insert(ddim.begin() + 1, {ddim[1].from, ddim[1].from, level_before(schedule, ddim[1].from, n)});
  return ddim;
}

std::vector<Step> pndm_counted_anew(const Schedule& schedule, const std::vector<Step>& steps, std::int64_t n) {
  if (!schedule.config().skip_prk_steps)
    throw std::invalid_argument(
        "multistep start is 'diffusers', expected fresh with this model's scheduler, whose "
        "skip_prk_steps is false");
  const auto stride = static_cast<double>(schedule.num_train_timesteps() / n);
  std::vector<Step> counted;
  for (const auto& step : steps) {
    const auto& from = step.from;
    if (counted.size() == 1)
      counted.push_back({from, from, level_before(schedule, from, n)});
    else
      counted.push_back({from, schedule.level_at(from.t - stride)});
  }
  return counted;
}

}  // namespace sfumato
