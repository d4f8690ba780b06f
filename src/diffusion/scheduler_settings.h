#pragma once

#include <string>

#include "core/json.h"
#include "diffusion/scheduler_classes.h"

namespace sfumato {

// Sampler settings of a scheduler_config.json, in addition to the process.

/// Throws std::invalid_argument naming a key and value with which that class would sample differently.
void require_supported_settings(const SchedulerClass& scheduler, const Json& json);

/// Returns the name in sigma_schedules() of its use_..._sigmas; "discrete" for a class that does not read them.
/// Throws std::invalid_argument if several are set.
std::string sigma_schedule_of(const SchedulerClass& scheduler, const Json& json);

}  // namespace sfumato
