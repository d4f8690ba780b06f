#include "diffusion/brownian_tree.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/seed_sequence.h"

namespace sfumato {
namespace {

/// To six decimals as Python's round has them, which goes by the decimal digits: times 1e6 would round once more.
double to_tolerance(double point) {
  std::array<char, 400> digits{};  // the largest double has 309 before the point
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), point, std::chars_format::fixed, 6).ptr;
  double rounded = 0;
  std::from_chars(digits.data(), end, rounded);
  return rounded;
}

}  // namespace

BrownianTree::BrownianTree(double start, double end, at::IntArrayRef shape, std::uint64_t seed, Rng rng)
    : start_(to_tolerance(start)), end_(to_tolerance(end)), shape_(shape.vec()), seed_(seed), rng_(rng) {
  TORCH_CHECK(std::isfinite(start) && std::isfinite(end) && start <= end, "a path from ", start, " to ", end);
  whole_ = draw({}) * std::sqrt(end - start);
}

torch::Tensor BrownianTree::draw(std::vector<std::uint64_t> place) const {
  constexpr std::size_t kPoolSize = 24;  // BrownianTree's own
  const SeedSequence sequence{.entropy = seed_, .spawn_key = std::move(place), .pool_size = kPoolSize};
  return NoiseSource({sequence.generate_state(1).front()}, rng_).draw(shape_).squeeze(0);
}

torch::Tensor BrownianTree::at(double point) const {
  point = to_tolerance(std::clamp(point, start_, end_));
  auto before = torch::zeros(shape_, torch::kFloat64);  // W(start) of the interval
  if (point == start_) return before;
  auto increment = whole_;
  double start = start_, end = end_;
  for (std::uint64_t depth = 0, number = 0; point != end; ++depth) {
    const double middle = to_tolerance(0.5 * (end + start));
    const double left = middle - start, right = end - middle, part = 1 / (end - start);
    const auto first = increment * left * part + std::sqrt(left * right * part) * draw({number, depth});
    const bool goes_right = point > middle;
    if (goes_right) before += first;
    increment = goes_right ? increment - first : first;
    (goes_right ? start : end) = middle;
    number = 2 * number + (goes_right ? 1 : 0);
  }
  return before + increment;
}

}  // namespace sfumato
