#pragma once

#include <deque>

#include "diffusion/samplers.h"

namespace sfumato {

/// Extrapolates by Adams-Bashforth over equal steps, of the order of the number of values, 1 to 4, newest first
/// (Liu et al. 2022, eq. 12).
torch::Tensor extrapolated(const std::deque<torch::Tensor>& values);

}  // namespace sfumato
