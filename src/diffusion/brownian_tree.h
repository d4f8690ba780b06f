#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/random.h"

namespace sfumato {

/// Brownian motion W between two points, determined by a seed: the path does not depend on the requested points or on
/// their order. It equals torchsde 0.2.6's BrownianTree to the last bit. W over the whole is drawn first. Then,
/// by repeated halving of intervals down to the requested points, W at the middle is drawn given W at both ends. Each
/// draw is the first of a separate generator, seeded by SeedSequence from the tree's seed and the interval's place in
/// the tree. As there, points are rounded to 1e-6, and the increment of W in an interval to float32.
class BrownianTree {
 public:
  /// Creates W over [start, end], which are finite, as a tensor of `shape`.
  BrownianTree(double start, double end, at::IntArrayRef shape, std::uint64_t seed, Rng rng = Rng::cpu);

  /// Returns W(to) - W(from), [*shape] float32 on the CPU, for from <= to. Points outside the ends are clamped to the
  /// nearer one.
  torch::Tensor increment(double from, double to);

 private:
  /// Index of an interval among those of its depth, and the depth.
  using Place = std::pair<std::uint64_t, std::uint64_t>;

  struct Interval {
    double start, end;
    Place place;
    torch::Tensor increment;
  };

  torch::Tensor draw(std::vector<std::uint64_t> spawn_key) const;
  const torch::Tensor& noise_at(const Place& place);
  /// Adds the increments of W in the parts of the interval within [from, to], in order.
  void add_parts(const Interval& interval, double from, double to, torch::Tensor& sum);

  double start_, end_;
  std::vector<std::int64_t> shape_;
  std::uint64_t seed_;
  Rng rng_;
  torch::Tensor whole_;                            // W(end) - W(start)
  std::map<Place, torch::Tensor> drawn_, needed_;  // for the last call, half of which the next one reuses; for this
};

}  // namespace sfumato
