#include "diffusion/restart.h"

#include <algorithm>
#include <cmath>

#include "diffusion/sigma_schedules.h"

namespace sfumato {
namespace {

constexpr double kRestartFrom = 0.1, kRestartAt = 2;

/// Returns the steps of one restart, down to `end`.
std::vector<Step> restart(const Schedule& schedule, const Level& end, std::size_t count) {
  const SigmaRange range{
      .schedule = schedule, .first = kRestartAt, .last = end.ratio(), .n = static_cast<std::int64_t>(count) + 1};
  std::vector<Step> steps;
  for (const auto ratio : karras_ratios(range)) {
    auto level = schedule.level_of_ratio(ratio);
    level.t = static_cast<float>(level.t);
    if (!steps.empty()) steps.back().to = level;
    steps.push_back({level, end});
  }
  steps.pop_back();
  steps.back().to = end;
  return steps;
}

}  // namespace

std::vector<Step> with_restarts(const Schedule& schedule, const std::vector<Step>& steps) {
  const auto distance = [](const Step& step) { return std::abs(step.to.ratio() - kRestartFrom); };
  // The last step ends clean, and nothing restarts from there.
  const auto nearest = std::min_element(steps.begin(), steps.end() - 1,
                                        [&](const Step& a, const Step& b) { return distance(a) < distance(b); });
  if (nearest == steps.end() - 1 || nearest->to.ratio() >= kRestartAt) return steps;
  std::vector<Step> result(steps.begin(), nearest + 1);
  const auto again = restart(schedule, nearest->to, (steps.size() + 3) / 4);
  for (int k = 0; k < 2; ++k) result.insert(result.end(), again.begin(), again.end());
  result.insert(result.end(), nearest + 1, steps.end());
  return result;
}

}  // namespace sfumato
