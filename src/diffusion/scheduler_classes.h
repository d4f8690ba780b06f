#pragma once

#include <string>
#include <vector>

#include "diffusion/schedule_config.h"

namespace sfumato {

/// A class of diffusers' schedulers: a row of the table.
struct SchedulerClass {
  std::string name;     ///< `_class_name`
  std::string sampler;  ///< the row of samplers() that integrates as the class does
  /// The keys that the class reads besides num_train_timesteps, trained_betas and, of a process of betas, those and
  /// prediction_type. Any other key is left over from another class and has no effect, here as there.
  std::vector<std::string> keys;
  /// Where its defaults differ from DDIMScheduler's.
  ScheduleConfig defaults;
};

const std::vector<SchedulerClass>& scheduler_classes();

/// Throws std::invalid_argument naming the classes that there are.
const SchedulerClass& find_scheduler_class(const std::string& name);

/// True if the class reads `key`, which is none of those that all classes read.
bool reads_key(const SchedulerClass& scheduler, const std::string& key);

/// The name in samplers() that integrates as the scheduler of `config` does.
std::string default_sampler(const ScheduleConfig& config);

}  // namespace sfumato
