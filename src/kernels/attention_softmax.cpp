#include "kernels/attention_softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"

namespace sfumato::attention {
namespace {

using lanes::exp2_below;
using lanes::Lane;
using lanes::load;
using lanes::store;

/// Combines all values of a vector by halving it: combine(vector, other) changes the first.
template <class Combine>
[[gnu::always_inline]] inline float reduce(Lane& x, const Combine& combine) {
  combine(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  combine(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  combine(x, __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  combine(x, __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
  return x[0];
}

[[gnu::always_inline]] inline void maximize(Lane& x, const Lane& other) {
  x = x > other ? x : other;
}

[[gnu::always_inline]] inline void add(Lane& x, const Lane& other) {
  x += other;
}

/// The largest of `width` scores.
[[gnu::always_inline]] inline float largest_of(const float* scores, std::int64_t width) {
  Lane even = load(scores), odd = even;
  std::int64_t c = lanes::kLane;
  for (; c + lanes::kLane < width; c += 2 * lanes::kLane) {
    maximize(even, load(scores + c));
    maximize(odd, load(scores + c + lanes::kLane));
  }
  if (c < width) maximize(even, load(scores + c));
  maximize(even, odd);
  return reduce(even, maximize);
}

/// Scales a row's scores and adds the bias.
[[gnu::always_inline]] inline void add_bias(const SoftmaxBlock& block, float* scores) {
  for (std::int64_t c = 0; c < block.width; c += lanes::kLane)
    store(static_cast<const Lane&>(load(scores + c) * block.scale + load(block.bias + c)), scores + c);
}

template <class Weight>
[[gnu::always_inline]] inline void softmax_rows(const SoftmaxBlock& block, Weight* weights) {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    auto* scores = block.scores + row * block.width;
    if (block.bias != nullptr) add_bias(block, scores);
    const auto scale = block.bias == nullptr ? block.scale : 1;
    const auto maximum = std::max(block.maxima[row], scale * largest_of(scores, block.width));
    Lane sum{};
    auto* to = weights + row * block.width;
    for (std::int64_t c = 0, width = block.width; c < width; c += lanes::kLane) {
      Lane weight;
      exp2_below<lanes::kDegreeFor<Weight>>(load(scores + c) * scale - maximum, weight);
      sum += weight;
      store(weight, to + c);
    }
    const auto correction = std::exp2(block.maxima[row] - maximum);  // 0 for the first block
    block.sums[row] = block.sums[row] * correction + reduce(sum, add);
    block.maxima[row] = maximum;
    if (correction == 1) continue;
    auto* values = block.values + row * block.value_width;
    for (std::int64_t d = 0; d < block.value_width; ++d) values[d] *= correction;
  }
}

}  // namespace

SFUMATO_MULTIVERSION void softmax_block(const SoftmaxBlock& block, float* weights) {
  softmax_rows(block, weights);
}

SFUMATO_MULTIVERSION void softmax_block(const SoftmaxBlock& block, c10::BFloat16* weights) {
  softmax_rows(block, weights);
}

}  // namespace sfumato::attention
