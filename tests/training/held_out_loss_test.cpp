#include "training/held_out_loss.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(HeldOutLoss, TheExamplesAreTheFirstOfThoseHeldOut) {
  EXPECT_TRUE(torch::equal(held_out_indices(100, 10, 3), torch::arange(90, 93)));
  EXPECT_TRUE(torch::equal(held_out_indices(100, 10, 0), torch::arange(90, 100)));
  EXPECT_TRUE(torch::equal(held_out_indices(100, 10, 20), torch::arange(90, 100)));
}

TEST(HeldOutLoss, WithoutHeldOutExamplesTheLastBatchIsUsed) {
  EXPECT_TRUE(torch::equal(held_out_indices(100, 0, 0), torch::arange(100 - kHeldOutBatch, 100)));
  EXPECT_TRUE(torch::equal(held_out_indices(5, 0, 0), torch::arange(5)));
}

TEST(HeldOutLoss, IsTheMeanOverExamplesOfBatchesOfAnySize) {
  const auto indices = torch::arange(kHeldOutBatch + 6);
  const auto mean_index = [](const torch::Tensor& part, at::Generator&) { return part.to(torch::kFloat64).mean(); };
  // Sums of whole numbers in float64 are exact, up to the division.
  EXPECT_NEAR(mean_held_out_loss(indices, 1, mean_index), (kHeldOutBatch + 5) / 2.0, 1e-12);
}

TEST(HeldOutLoss, TheNoiseIsTheSameInEveryCall) {
  const auto draw = [](const torch::Tensor& part, at::Generator& generator) {
    return torch::randn(part.sizes(), generator, torch::kFloat64).mean();
  };
  const auto indices = torch::arange(10);
  EXPECT_EQ(mean_held_out_loss(indices, 1, draw), mean_held_out_loss(indices, 1, draw));
  EXPECT_NE(mean_held_out_loss(indices, 1, draw), mean_held_out_loss(indices, 2, draw));
}

}  // namespace
}  // namespace sfumato
