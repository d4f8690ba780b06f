#include "kernels/attention_softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/multiversion.h"

namespace sfumato::attention {
namespace {

/// Half as wide vectors.
template <class V>
using Half = lanes::Vectors<V::kLane / 2>;

template <class V>
[[gnu::always_inline]] inline float sum_of(const typename V::Lane& x) {
  if constexpr (V::kLane == 4) {
    return (x[0] + x[2]) + (x[1] + x[3]);
  } else {
    typename Half<V>::Lane low, high;
    V::split(x, low, high);
    low += high;
    return sum_of<Half<V>>(low);
  }
}

template <class V>
[[gnu::always_inline]] inline float maximum_of(const typename V::Lane& x) {
  if constexpr (V::kLane == 4) {
    return std::max(std::max(x[0], x[2]), std::max(x[1], x[3]));
  } else {
    typename Half<V>::Lane low, high;
    V::split(x, low, high);
    Half<V>::maximize(low, high);
    return maximum_of<Half<V>>(low);
  }
}

/// The largest of `width` scores.
template <class V>
[[gnu::always_inline]] inline float largest_of(const float* scores, std::int64_t width) {
  typename V::Lane even = V::load(scores), odd = even;
  std::int64_t c = V::kLane;
  for (; c + V::kLane < width; c += 2 * V::kLane) {
    V::maximize(even, V::load(scores + c));
    V::maximize(odd, V::load(scores + c + V::kLane));
  }
  if (c < width) V::maximize(even, V::load(scores + c));
  V::maximize(even, odd);
  return maximum_of<V>(even);
}

/// Scales a row's scores and adds the bias.
template <class V>
[[gnu::always_inline]] inline void add_bias(const SoftmaxBlock& block, float* scores) {
  for (std::int64_t c = 0; c < block.width; c += V::kLane)
    V::store(static_cast<const typename V::Lane&>(V::load(scores + c) * block.scale + V::load(block.bias + c)),
             scores + c);
}

template <class V, class Weight>
[[gnu::always_inline]] inline void softmax_rows(const SoftmaxBlock& block, Weight* weights) {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    auto* scores = block.scores + row * block.width;
    if (block.bias != nullptr) add_bias<V>(block, scores);
    const auto scale = block.bias == nullptr ? block.scale : 1;
    const auto maximum = std::max(block.maxima[row], scale * largest_of<V>(scores, block.width));
    typename V::Lane sum{};
    auto* to = weights + row * block.width;
    for (std::int64_t c = 0, width = block.width; c < width; c += V::kLane) {
      typename V::Lane weight;
      V::template exp2_below<lanes::kDegreeFor<Weight>>(V::load(scores + c) * scale - maximum, weight);
      sum += weight;
      V::store(weight, to + c);
    }
    const auto correction = std::exp2(block.maxima[row] - maximum);  // 0 for the first block
    block.sums[row] = block.sums[row] * correction + sum_of<V>(sum);
    block.maxima[row] = maximum;
    if (correction == 1) continue;
    auto* values = block.values + row * block.value_width;
    for (std::int64_t d = 0; d < block.value_width; ++d) values[d] *= correction;
  }
}

}  // namespace

void softmax_block(const SoftmaxBlock& block, float* weights) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { softmax_rows<decltype(v)>(block, weights); });
}

void softmax_block(const SoftmaxBlock& block, c10::BFloat16* weights) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { softmax_rows<decltype(v)>(block, weights); });
}

}  // namespace sfumato::attention
