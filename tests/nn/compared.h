#pragma once

#include "nn/layers.h"
#include "placements.h"

namespace sfumato {

/// Outputs of a network in float32 on the CPU, and at a placement.
struct Compared {
  torch::Tensor expected, actual;

  double error() const { return relative_error(actual, expected); }
  /// True if the placement's output has the right device, dtype and memory format.
  bool is_at(const Placement& placement) const {
    return actual.device() == placement.device && actual.scalar_type() == placement.dtype &&
           (actual.dim() != 4 || actual.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
};

/// Calls `forward`, which runs `network` on inputs at the placement it receives, before and after moving the network.
template <class Network, class Forward>
Compared compare(Network& network, const Placement& placement, const Forward& forward) {
  const torch::NoGradGuard no_grad;
  Compared compared;
  compared.expected = forward(Placement{});
  network->to(placement.device, placement.dtype);
  make_channels_last(*network);
  compared.actual = forward(placement);
  return compared;
}

}  // namespace sfumato
