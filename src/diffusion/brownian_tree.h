#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "core/random.h"

namespace sfumato {

/// Brownian motion W between two points, all of it given by a seed: the path is the same whatever is asked of it and in
/// whatever order. It is that of torchsde 0.2.6's BrownianTree. W over the whole is drawn first; then, from interval to
/// half interval down to the point that is asked for, W at the middle given W at both ends. Each draw is the first of a
/// generator of its own, whose seed SeedSequence makes of the tree's and the interval's place in it. As there, points
/// are kept to 1e-6, and increments to float32.
class BrownianTree {
 public:
  /// W over [start, end], which are finite, is a tensor of `shape`.
  BrownianTree(double start, double end, at::IntArrayRef shape, std::uint64_t seed, Rng rng = Rng::cpu);

  /// W(point) - W(start), [*shape] on the CPU: float64, so that differences between two points are not rounded twice.
  /// A point outside of the ends is taken for the nearer one.
  torch::Tensor at(double point) const;

 private:
  /// Standard normal, for a place in the tree: none for the whole, else the interval's number at its depth.
  torch::Tensor draw(std::vector<std::uint64_t> place) const;

  double start_, end_;
  std::vector<std::int64_t> shape_;
  std::uint64_t seed_;
  Rng rng_;
  torch::Tensor whole_;  // W(end) - W(start)
};

}  // namespace sfumato
