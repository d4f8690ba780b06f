#pragma once

#include <string>

#include "core/json.h"
#include "diffusion/scheduler_classes.h"

namespace sfumato {

// What a scheduler_config.json says of the sampler beyond the process.

/// Throws std::invalid_argument naming the key and value where that class would sample otherwise than ours does.
void require_supported_settings(const SchedulerClass& scheduler, const Json& json);

/// The name in sigma_schedules() that its use_..._sigmas mean; "discrete" for a class that does not read them.
/// Throws std::invalid_argument where there are several.
std::string sigma_schedule_of(const SchedulerClass& scheduler, const Json& json);

}  // namespace sfumato
