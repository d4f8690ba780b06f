#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace sfumato {
namespace {

torch::Tensor random_output(std::uint64_t seed) {
  return torch::randn({2, 3, 4, 4}, seeded_generator(seed));
}

TEST(ClassifierFreeGuidance, GoesFromTheEmptyPromptBeyondThePrompt) {
  const auto x = random_output(1);
  EXPECT_TRUE(torch::allclose(classifier_free_guidance(x + 10, x + 20, {.scale = 3}), x + 10 + 3 * 10));
}

TEST(ClassifierFreeGuidance, TakesTensorsOfAnyRank) {
  const auto x = torch::randn({2, 5}, seeded_generator(2));
  const auto guided = classifier_free_guidance(x, x + 1, {.scale = 3, .rescale = 1});
  EXPECT_TRUE(torch::allclose(guided.std(1), (x + 1).std(1)));
}

TEST(ClassifierFreeGuidance, NeedsTheNegativePromptAboveAScaleOfOne) {
  EXPECT_FALSE(is_guided(0));
  EXPECT_FALSE(is_guided(1));
  EXPECT_TRUE(is_guided(1.000001));
}

TEST(RescaleGuidance, FullyRescaledHasThePromptsDeviation) {
  const auto guided = random_output(1) * 5 + 3, positive = random_output(2);
  const auto rescaled = rescale_guidance(guided, positive, 1);
  EXPECT_TRUE(torch::allclose(rescaled.flatten(1).std(1), positive.flatten(1).std(1), 1e-5));
  EXPECT_TRUE(torch::equal(rescale_guidance(guided, positive, 0), guided));
}

// Liu et al. 2022, eq. 11.
TEST(ComposedGuidance, AddsEachPromptsDirection) {
  const auto x = random_output(1);
  const auto composed = composed_guidance(x, {2 * x, 3 * x}, {0.5, -0.25}, {.scale = 4});
  EXPECT_TRUE(torch::allclose(composed, x * (1 + 4 * (0.5 * 1 - 0.25 * 2)), 1e-5, 1e-5));
}

TEST(ComposedGuidance, OfOnePromptIsClassifierFreeGuidance) {
  const auto negative = random_output(1), positive = random_output(2);
  for (const double rescale : {0.0, 0.7}) {
    const GuidanceOptions options{.scale = 3, .rescale = rescale};
    EXPECT_TRUE(torch::allclose(composed_guidance(negative, {positive}, {1}, options),
                                classifier_free_guidance(negative, positive, options), 1e-5, 1e-5));
  }
}

// Brooks et al. 2023, eq. 3.
TEST(TextAndImageGuidance, AddsTheImagesAndTheTextsDirection) {
  const auto x = random_output(1);
  const auto guided = text_and_image_guidance(x, x + 1, x + 3, {.scale = 5, .image_scale = 1.5});
  EXPECT_TRUE(torch::allclose(guided, x + 1.5 * 1 + 5 * 2, 1e-5, 1e-5));
}

TEST(PerturbedAttention, ItsScaleFallsWithTheTimestepAndNotBelowZero) {
  const PerturbedAttention adaptive{.scale = 3, .adaptive_scale = 0.005};
  EXPECT_DOUBLE_EQ(adaptive.scale_at(1000), 3);
  EXPECT_DOUBLE_EQ(adaptive.scale_at(500), 0.5);
  EXPECT_DOUBLE_EQ(adaptive.scale_at(400), 0);
  EXPECT_DOUBLE_EQ((PerturbedAttention{.scale = 3}.scale_at(0)), 3);
}

}  // namespace
}  // namespace sfumato
