#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "scenes/style.h"

namespace sfumato {

/// Random choices that are the same with every standard library: only raw output of mt19937_64 is used.
class Rng {
 public:
  /// Independent stream for item `index` of `seed`. A variety below 1 narrows ranges around their middle, at 0 to a
  /// point.
  Rng(std::uint64_t seed, std::uint64_t index, double variety = 1)
      : engine_(mix(seed ^ mix(index + 1))), variety_(variety) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return (low + high) / 2 + variety_ * (high - low) * (uniform() - .5); }
  double uniform(const Range& range) { return uniform(range.low, range.high); }
  bool chance(double probability) { return uniform() < probability; }
  /// True if an optional variation applies: half the time at full variety.
  bool varied() { return chance(.5 * variety_); }
  /// In [0, count).
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(uniform() * static_cast<double>(count)); }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

 private:
  /// splitmix64's finaliser.
  static std::uint64_t mix(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  std::mt19937_64 engine_;
  double variety_;
};

}  // namespace sfumato
