#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace sfumato {

/// Random choices that are the same with every standard library: only mt19937_64's own output is used.
class Rng {
 public:
  /// An independent stream for item `index` of `seed`.
  Rng(std::uint64_t seed, std::uint64_t index) : engine_(mix(seed ^ mix(index + 1))) {}

  /// In [0, 1).
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }
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
};

}  // namespace sfumato
