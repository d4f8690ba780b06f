#pragma once

#include <string>
#include <vector>

#include "diffusion/schedule_config.h"

namespace sfumato {

/// Scheduler class of diffusers: a row of the table.
struct SchedulerClass {
  std::string name;     ///< `_class_name`
  std::string sampler;  ///< the row of samplers() that integrates like the class
  /// Keys that the class reads besides num_train_timesteps, trained_betas and, for a process of betas, those and
  /// prediction_type. Other keys are left over from another class and have no effect, as in diffusers.
  std::vector<std::string> keys;
  /// Defaults, which may differ from DDIMScheduler's.
  ScheduleConfig defaults;
};

const std::vector<SchedulerClass>& scheduler_classes();

/// Throws std::invalid_argument that lists the available classes.
const SchedulerClass& find_scheduler_class(const std::string& name);

/// True if the class reads `key`, which is not one of those that all classes read.
bool reads_key(const SchedulerClass& scheduler, const std::string& key);

/// Returns the name in samplers() that integrates like the scheduler of `config`.
std::string default_sampler(const ScheduleConfig& config);

}  // namespace sfumato
