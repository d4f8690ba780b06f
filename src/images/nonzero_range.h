#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <utility>

namespace sfumato {

/// First and last (exclusive) index of the nonzero values of [N]. There must be at least one.
inline std::pair<std::int64_t, std::int64_t> nonzero_range(const torch::Tensor& values) {
  const auto found = values.nonzero();
  return {found.min().item<std::int64_t>(), found.max().item<std::int64_t>() + 1};
}

}  // namespace sfumato
