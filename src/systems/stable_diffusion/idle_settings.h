#pragma once

#include <string>
#include <vector>

#include "systems/stable_diffusion/job.h"

namespace sfumato {

/// Returns one line for each setting of the request that has no effect with the job's model and sampler.
std::vector<std::string> idle_settings(const Job& job);

}  // namespace sfumato
