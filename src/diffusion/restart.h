#pragma once

#include <vector>

#include "diffusion/steps.h"

namespace sfumato {

/// Adds restarts to `steps` (Xu et al. 2023, algorithm 1): twice, from the level whose sigma / alpha is closest to 0.1,
/// back to 2 and down again in a quarter as many steps, rounded up, at Karras' levels. Each restart begins with a step
/// whose start is noisier than the previous end. Returns `steps` unchanged if no level is below 2.
std::vector<Step> with_restarts(const Schedule& schedule, const std::vector<Step>& steps);

}  // namespace sfumato
