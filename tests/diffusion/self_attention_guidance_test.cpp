#include "diffusion/self_attention_guidance.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sfumato {
namespace {

/// Returns the weights of a Gaussian of std 1 at -4 ... 4, with sum 1.
std::vector<double> gaussian() {
  std::vector<double> weights;
  double sum = 0;
  for (int i = -4; i <= 4; ++i) sum += weights.emplace_back(std::exp(-0.5 * i * i));
  for (auto& weight : weights) weight /= sum;
  return weights;
}

TEST(BlurredWhereAttended, SpreadsAPixelAsAGaussianDoes) {
  auto x0 = torch::zeros({1, 2, 16, 16});
  x0[0][1][8][8] = 1;
  const auto blurred = blurred_where_attended(x0, torch::full({1, 64}, 2.0));  // 8 x 8 places
  const auto weights = gaussian();
  EXPECT_NEAR(blurred[0][1][8][8].item<double>(), weights[4] * weights[4], 1e-6);
  EXPECT_NEAR(blurred[0][1][9][6].item<double>(), weights[5] * weights[2], 1e-6);
  EXPECT_NEAR(blurred[0][1].sum().item<double>(), 1, 1e-5);
  EXPECT_EQ(blurred[0][0].abs().max().item<double>(), 0) << "channels are by themselves";
}

TEST(BlurredWhereAttended, MirrorsTheBorder) {
  auto x0 = torch::zeros({1, 1, 5, 5});
  x0[0][0][0][1] = 1;
  const auto weights = gaussian();
  // The column is at distance 1 on both sides of the first one.
  EXPECT_NEAR(blurred_where_attended(x0, torch::full({1, 25}, 2.0))[0][0][0][0].item<double>(),
              weights[4] * 2 * weights[5], 1e-6);
}

TEST(BlurredWhereAttended, LeavesWhatGetsNoMoreThanTheMean) {
  const auto x0 = torch::rand({2, 3, 9, 16});
  auto received = torch::full({2, 3 * 4}, 1.0);  // 9 x 16, 5 x 8, 3 x 4
  EXPECT_TRUE(torch::equal(blurred_where_attended(x0, received), x0));
  received[1][5] = 1.5;  // second image, row 1, column 1: pixels 3 to 5 and 4 to 7
  const auto changed = (blurred_where_attended(x0, received) - x0).abs().amax(1) > 0;  // [2, 9, 16]
  EXPECT_EQ(changed.sum().item<std::int64_t>(), 3 * 4);
  EXPECT_EQ(changed[1].slice(0, 3, 6).slice(1, 4, 8).sum().item<std::int64_t>(), 3 * 4);
}

}  // namespace
}  // namespace sfumato
