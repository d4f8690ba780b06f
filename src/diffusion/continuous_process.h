#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// Process whose levels are a function of its own time, without a table of betas: a row of the table.
struct ContinuousProcess {
  std::string name;  ///< ScheduleConfig::process
  /// Returns the times of n steps, noisiest first. Throws std::invalid_argument for an inapplicable sigma schedule.
  std::vector<double> (*times)(const Schedule& schedule, std::int64_t n);
  Level (*level_at)(const ScheduleConfig& config, double time);
  /// Returns the time at which sigma / alpha is `ratio`, which is finite: the inverse of level_at.
  double (*time_at)(double ratio);
  /// Returns the standard deviation of the initial noise of sampling, at its first level.
  double (*initial_noise)(const ScheduleConfig& config, const Level& first);
};

/// Returns the process of this name; null for `betas`. Throws std::invalid_argument for an unknown name.
const ContinuousProcess* find_continuous_process(const std::string& name);

/// Returns the shift mu of the flow process for an image of `image_seq_len` tokens (`calculate_shift` in diffusers).
double dynamic_shift(const FlowConfig& flow, std::int64_t image_seq_len);

}  // namespace sfumato
