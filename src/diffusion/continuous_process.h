#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// A process whose levels are a function of a time of its own, with no table of betas: a row of the table.
struct ContinuousProcess {
  std::string name;  ///< ScheduleConfig::process
  /// The times of n steps, the noisiest first. Throws std::invalid_argument for a sigma schedule that does not apply.
  std::vector<double> (*times)(const Schedule& schedule, std::int64_t n);
  Level (*level_at)(const ScheduleConfig& config, double time);
  /// The time at which sigma / alpha is `ratio`, which is finite: the inverse of level_at.
  double (*time_at)(double ratio);
  /// Standard deviation of the noise that sampling starts from at its first level.
  double (*initial_noise)(const ScheduleConfig& config, const Level& first);
};

/// The process of this name; null for `betas`. Throws std::invalid_argument for a name that is neither.
const ContinuousProcess* find_continuous_process(const std::string& name);

/// Shift mu of the flow process for an image of `image_seq_len` tokens (`calculate_shift` of diffusers' pipelines).
double dynamic_shift(const FlowConfig& flow, std::int64_t image_seq_len);

}  // namespace sfumato
