#include "images/canny.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

/// Image that is black on the left half and `right` on the other.
torch::Tensor step(double right) {
  auto image = torch::full({1, 3, 12, 16}, -1.0);
  image.slice(3, 8).fill_(right);
  return image;
}

TEST(Canny, AStepIsOneWhiteLineOnBlack) {
  const auto edges = canny_edges(step(1));
  ASSERT_EQ(edges.sizes(), (std::vector<std::int64_t>{1, 3, 12, 16}));
  const auto columns = (edges > 0).all(2).select(1, 0).squeeze(0);  // [16]
  EXPECT_EQ(columns.sum().item<int>(), 1);
  EXPECT_EQ((edges == 1).sum().item<int>(), 3 * 12);
  EXPECT_EQ((edges == -1).sum().item<int>(), 3 * 12 * 15);
  const auto column = columns.nonzero().item<int>();
  EXPECT_TRUE(column == 7 || column == 8) << column;
}

// The gradient of a step of h grey levels is 4 h (Sobel's weights 1, 2, 1). With thresholds of 100 and 200 a step of 60
// is an edge and one of 40 is not, since no pixel beside it is above 200.
TEST(Canny, TheThresholdsAreGradientsOf8BitPixels) {
  const auto count = [](int levels, const CannyThresholds& thresholds) {
    return (canny_edges(step(-1 + 2 * levels / 255.0), thresholds) > 0).any().item<bool>();
  };
  EXPECT_TRUE(count(60, {}));
  EXPECT_FALSE(count(40, {}));
  EXPECT_TRUE(count(40, {.low = 50, .high = 100}));
}

TEST(Canny, AnEdgeInOneColorIsAnEdge) {
  auto image = torch::full({1, 3, 12, 16}, -1.0);
  image.select(1, 2).slice(2, 8).fill_(1);
  EXPECT_TRUE((canny_edges(image) > 0).any().item<bool>());
}

}  // namespace
}  // namespace sfumato
