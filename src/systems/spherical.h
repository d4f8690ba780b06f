#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Spherical interpolation between two noises [1, C, H, W] at `count` evenly spaced points, both ends included:
/// [count, C, H, W] (Shoemake 1985; Song et al. 2021, eq. 67). Linear interpolation would reduce the norm between the
/// ends, although noise in many dimensions has nearly constant norm. Throws std::invalid_argument for a count below 2.
torch::Tensor interpolate_spherically(const torch::Tensor& from, const torch::Tensor& to, std::int64_t count);

}  // namespace sfumato
