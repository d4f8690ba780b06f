#include <gtest/gtest.h>

#include "diffusion/guidance.h"

namespace sfumato {
namespace {

/// A network whose output is its row's number times x, told by the row's place in a batch of `rows` times N.
Network by_row(std::int64_t rows) {
  return [rows](const torch::Tensor& x, const Level&) {
    EXPECT_EQ(x.size(0) % rows, 0);
    const auto factors = torch::arange(1, rows + 1).repeat_interleave(x.size(0) / rows).view({-1, 1, 1, 1});
    return x * factors;
  };
}

// Liu et al. 2022, eq. 11: negative 1 x, positives 2 x and 3 x.
TEST(ComposedGuidance, AddsEachPromptsDirection) {
  const auto x = torch::randn({2, 4, 3, 3});
  const auto composed = composed_guidance(by_row(3), {0.5, -0.25}, {.scale = 4, .rescale = 0});
  EXPECT_LT((composed(x, {}) - x * (1 + 4 * (0.5 * 1 - 0.25 * 2))).abs().max().item<double>(), 1e-5);
}

TEST(ComposedGuidance, OfOnePromptIsClassifierFreeGuidance) {
  const auto x = torch::randn({2, 4, 3, 3});
  for (const double rescale : {0.0, 0.7}) {
    const GuidanceOptions options{.scale = 3, .rescale = rescale};
    const auto composed = composed_guidance(by_row(2), {1}, options)(x, {});
    EXPECT_LT((composed - classifier_free_guidance(by_row(2), options)(x, {})).abs().max().item<double>(), 1e-5);
  }
}

TEST(ComposedGuidance, ALearnedVarianceIsTheFirstPrompts) {
  const auto x = torch::randn({1, 4, 3, 3});
  const Network doubled = [](const torch::Tensor& rows, const Level& level) {
    const auto raw = by_row(3)(rows, level);
    return torch::cat({raw, 10 * raw}, 1);
  };
  const auto guided = composed_guidance(doubled, {1, 1}, {.scale = 2, .rescale = 0})(x, {});
  EXPECT_LT((guided - torch::cat({x * (1 + 2 * (1 + 2)), x * 20}, 1)).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace sfumato
