#pragma once

#include "nn/layers.h"
#include "placements.h"

namespace sfumato {

/// What a network answers in float32 on the CPU, and at a placement.
struct Compared {
  torch::Tensor expected, actual;

  double error() const { return relative_error(actual, expected); }
  /// Whether the placement's answer is where, in what and as it is to be.
  bool is_at(const Placement& placement) const {
    return actual.device() == placement.device && actual.scalar_type() == placement.dtype &&
           (actual.dim() != 4 || actual.is_contiguous(at::MemoryFormat::ChannelsLast));
  }
};

/// `forward` takes the placement that its inputs are to be at, and asks `network`, which is moved there in between.
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
