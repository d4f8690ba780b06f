#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <utility>

namespace sfumato {

/// First and last index of [N] that are not 0, the last one exclusive. There must be one.
inline std::pair<std::int64_t, std::int64_t> nonzero_range(const torch::Tensor& values) {
  const auto found = values.nonzero();
  return {found.min().item<std::int64_t>(), found.max().item<std::int64_t>() + 1};
}

}  // namespace sfumato
