#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Spherical interpolation of two noises [1, C, H, W] at `count` points evenly from the one to the other, both
/// included: [count, C, H, W] (Shoemake 1985; Song et al. 2021, eq. 67). A straight line would lose length on its way,
/// which noise of many dimensions does not. Throws std::invalid_argument for a count below 2.
torch::Tensor interpolate_spherically(const torch::Tensor& from, const torch::Tensor& to, std::int64_t count);

}  // namespace sfumato
