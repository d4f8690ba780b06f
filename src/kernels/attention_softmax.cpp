#include "kernels/attention_softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/lanes.h"

namespace sfumato::attention {
namespace {

using lanes::exp2_of;
using lanes::Lane;
using lanes::load;
using lanes::store;

[[gnu::always_inline]] inline float sum_of(const Lane& lane) {
  float sum = 0;
  for (std::int64_t i = 0; i < lanes::kLane; ++i) sum += lane[i];
  return sum;
}

[[gnu::always_inline]] inline float maximum_of(const Lane& lane) {
  float maximum = lane[0];
  for (std::int64_t i = 1; i < lanes::kLane; ++i) maximum = std::max(maximum, lane[i]);
  return maximum;
}

/// Scales a row's scores in place, adds the bias, and returns the largest.
[[gnu::always_inline]] inline float scale_row(const SoftmaxBlock& block, float* scores) {
  Lane maximum = Lane{} - INFINITY;
  for (std::int64_t c = 0; c < block.width; c += lanes::kLane) {
    Lane score = load(scores + c) * block.scale;
    if (block.bias != nullptr) {
      score += load(block.bias + c);
      store(score, scores + c);
    }
    maximum = maximum > score ? maximum : score;
  }
  return maximum_of(maximum);
}

template <class Weight>
[[gnu::always_inline]] inline void softmax_rows(const SoftmaxBlock& block, Weight* weights) {
  for (std::int64_t row = 0; row < block.rows; ++row) {
    auto* scores = block.scores + row * block.width;
    const auto maximum = std::max(block.maxima[row], scale_row(block, scores));
    // With a bias the scores were scaled already.
    const auto scale = block.bias == nullptr ? block.scale : 1;
    Lane sum{};
    for (std::int64_t c = 0; c < block.width; c += lanes::kLane) {
      Lane weight;
      exp2_of<lanes::kTermsFor<Weight>>(load(scores + c) * scale - maximum, weight);
      sum += weight;
      store(weight, weights + row * block.width + c);
    }
    const auto correction = std::exp2(block.maxima[row] - maximum);  // 0 for the first block
    block.sums[row] = block.sums[row] * correction + sum_of(sum);
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
