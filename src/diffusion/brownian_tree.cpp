#include "diffusion/brownian_tree.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/seed_sequence.h"

namespace sfumato {
namespace {

/// Rounds to six decimals like Python's round, which uses the decimal digits: multiplying by 1e6 would round twice.
double to_tolerance(double point) {
  std::array<char, 400> digits{};  // the largest double has 309 digits before the point
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

torch::Tensor BrownianTree::draw(std::vector<std::uint64_t> spawn_key) const {
  constexpr std::size_t kPoolSize = 24;  // as in BrownianTree
  const SeedSequence sequence{.entropy = seed_, .spawn_key = std::move(spawn_key), .pool_size = kPoolSize};
  return NoiseSource({sequence.generate_state(1).front()}, rng_).draw(shape_).squeeze(0);
}

const torch::Tensor& BrownianTree::noise_at(const Place& place) {
  auto& noise = needed_[place];
  if (const auto known = drawn_.find(place); known != drawn_.end()) noise = known->second;
  if (!noise.defined()) noise = draw({place.first, place.second});
  return noise;
}

void BrownianTree::add_parts(const Interval& interval, double from, double to, torch::Tensor& sum) {
  const auto& [start, end, place, increment] = interval;
  if (from <= start && end <= to) {
    sum += increment;
    return;
  }
  const double middle = to_tolerance(0.5 * (end + start));
  const double left = middle - start, right = end - middle, part = 1 / (end - start);
  const auto first = increment * left * part + std::sqrt(left * right * part) * noise_at(place);
  const auto number = 2 * place.first, depth = place.second + 1;
  if (from < middle) add_parts({start, middle, {number, depth}, first}, from, to, sum);
  if (to > middle) add_parts({middle, end, {number + 1, depth}, increment - first}, from, to, sum);
}

torch::Tensor BrownianTree::increment(double from, double to) {
  from = to_tolerance(std::clamp(from, start_, end_));
  to = to_tolerance(std::clamp(to, start_, end_));
  auto sum = torch::zeros(shape_, torch::kFloat32);
  if (from == to) return sum;
  add_parts({start_, end_, {0, 0}, whole_}, from, to, sum);
  drawn_ = std::exchange(needed_, {});
  return sum;
}

}  // namespace sfumato
