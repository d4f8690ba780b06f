#pragma once

#include <vector>

#include "diffusion/steps.h"

namespace sfumato {

/// `steps` with restarts (Xu et al. 2023, algorithm 1): twice, from the level whose sigma / alpha is nearest to 0.1,
/// back to 2 and down again in a quarter as many steps, rounded up, at Karras' levels. Each begins with a step that
/// starts noisier than the one before ended. As they were where no level lies below 2.
std::vector<Step> with_restarts(const Schedule& schedule, const std::vector<Step>& steps);

}  // namespace sfumato
