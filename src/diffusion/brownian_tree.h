#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/random.h"

namespace sfumato {

/// Brownian motion W between two points, all of it given by a seed: the path is the same whatever is asked of it and in
/// whatever order. It is that of torchsde 0.2.6's BrownianTree, to the last bit. W over the whole is drawn first; then,
/// from interval to half interval down to the points that are asked for, W at the middle given W at both ends. Each
/// draw is the first of a generator of its own, whose seed SeedSequence makes of the tree's and the interval's place in
/// it. As there, points are kept to 1e-6, and what W gains in an interval to float32.
class BrownianTree {
 public:
  /// W over [start, end], which are finite, is a tensor of `shape`.
  BrownianTree(double start, double end, at::IntArrayRef shape, std::uint64_t seed, Rng rng = Rng::cpu);

  /// W(to) - W(from), [*shape] float32 on the CPU, where from <= to. A point outside of the ends is taken for the
  /// nearer one.
  torch::Tensor increment(double from, double to);

 private:
  /// The interval's number among those of its depth, and the depth.
  using Place = std::pair<std::uint64_t, std::uint64_t>;

  struct Interval {
    double start, end;
    Place place;
    torch::Tensor increment;
  };

  torch::Tensor draw(std::vector<std::uint64_t> spawn_key) const;
  const torch::Tensor& noise_at(const Place& place);
  /// Adds what W gains in the parts of the interval that lie in [from, to], one after another.
  void add_parts(const Interval& interval, double from, double to, torch::Tensor& sum);

  double start_, end_;
  std::vector<std::int64_t> shape_;
  std::uint64_t seed_;
  Rng rng_;
  torch::Tensor whole_;                            // W(end) - W(start)
  std::map<Place, torch::Tensor> drawn_, needed_;  // for the last question, half of which the next one needs; for this
};

}  // namespace sfumato
