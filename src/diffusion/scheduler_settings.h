#pragma once

#include <string>

#include "core/json.h"

namespace sfumato {

// What a scheduler_config.json says of the sampler beyond the process; `class_name` is its _class_name.

/// Throws std::invalid_argument naming the key and value where that class would sample otherwise than ours does.
void require_supported_settings(const std::string& class_name, const Json& json);

/// The name in sigma_schedules() that its use_..._sigmas mean; "discrete" for a class that does not look at them.
/// Throws std::invalid_argument where there are several.
std::string sigma_schedule_of(const std::string& class_name, const Json& json);

/// Whether the class looks at final_sigmas_type.
bool has_final_sigmas_type(const std::string& class_name);

}  // namespace sfumato
