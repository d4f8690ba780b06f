#include "images/pixels.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

/// An image [1, 3, 1, N] whose channels all hold `bytes`.
torch::Tensor row_of(const std::vector<std::int64_t>& bytes) {
  const auto row = torch::tensor(bytes).to(torch::kUInt8).view({1, -1, 1});
  return from_bytes(row.expand({-1, -1, 3}));
}

std::vector<std::int64_t> bytes_of(const torch::Tensor& image) {
  const auto bytes = to_bytes(image).select(2, 0).flatten().to(torch::kInt64).contiguous();
  return {bytes.data_ptr<std::int64_t>(), bytes.data_ptr<std::int64_t>() + bytes.numel()};
}

TEST(Pixels, EveryByteSurvivesTheWayThroughFloats) {
  const auto bytes = torch::arange(256).to(torch::kUInt8).view({16, 16, 1}).expand({-1, -1, 3}).contiguous();
  EXPECT_TRUE(torch::equal(to_bytes(from_bytes(bytes)), bytes));
}

TEST(Pixels, ValuesOutsideAreCutOff) {
  const auto image = torch::tensor({-7.0F, 7.0F}).view({1, 1, 1, 2}).expand({1, 3, 1, 2});
  EXPECT_EQ(bytes_of(image), (std::vector<std::int64_t>{0, 255}));
}

// Expected from Pillow 13: Image.fromarray(row).resize((n, 1), Image.LANCZOS).
TEST(Pixels, ShrinksAsPillowDoes) {
  EXPECT_EQ(bytes_of(resize_lanczos(row_of({0, 255, 0, 255, 10, 20, 30, 40}), 1, 3)),
            (std::vector<std::int64_t>{120, 98, 19}));
}

TEST(Pixels, EnlargesAsPillowDoes) {
  EXPECT_EQ(bytes_of(resize_lanczos(row_of({0, 255, 128}), 1, 7)),
            (std::vector<std::int64_t>{0, 29, 150, 255, 229, 149, 99}));
}

// Expected from Pillow 13, of white diagonals on black, 8 high and 6 wide. Both orders of the passes occur: with rows
// first, the first case would begin with 91.
TEST(Pixels, ResizesBothSidesInPillowsOrder) {
  const auto sums = torch::arange(8).view({8, 1}) + torch::arange(6);
  const auto bytes = ((sums % 3 == 0) * 255).to(torch::kUInt8).unsqueeze(2).expand({8, 6, 3});
  EXPECT_EQ(bytes_of(resize_lanczos(from_bytes(bytes), 3, 4)),
            (std::vector<std::int64_t>{85, 83, 89, 77, 87, 85, 85, 87, 77, 89, 83, 85}));
  EXPECT_EQ(bytes_of(resize_lanczos(from_bytes(bytes), 4, 3)),
            (std::vector<std::int64_t>{77, 90, 79, 89, 84, 85, 85, 84, 89, 79, 90, 77}));
}

TEST(Pixels, AGridIsWhiteBetweenTheImages) {
  const auto grid = image_grid(torch::zeros({3, 3, 2, 2}), 2, 1);
  EXPECT_EQ(grid.sizes(), (std::vector<std::int64_t>{1, 3, 5, 5}));
  EXPECT_EQ(grid[0][0][0][0].item<float>(), 0);
  EXPECT_EQ(grid[0][0][2][0].item<float>(), 1);
  EXPECT_EQ(grid[0][0][4][4].item<float>(), 1) << "the last row has one picture";
}

}  // namespace
}  // namespace sfumato
