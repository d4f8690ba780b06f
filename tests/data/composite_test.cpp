#include "data/composite.h"

#include <gtest/gtest.h>

#include <numbers>

namespace sfumato {
namespace {

constexpr std::int64_t kSize = 64;

/// One opaque cut-out [1, 4, 16, 16]: red, its right half blue.
torch::Tensor two_halves() {
  auto rgba = torch::zeros({1, 4, 16, 16}, torch::kUInt8);
  rgba.select(1, 3).fill_(255);
  rgba.select(1, 0).narrow(2, 0, 8).fill_(255);
  rgba.select(1, 2).narrow(2, 8, 8).fill_(255);
  return rgba;
}

SceneBatch scene(std::vector<float> item, std::vector<float> background = {0, 1, 1, 1, 1, 1, 1, 1}) {
  return {torch::tensor(item).view({1, 1, 6}), torch::tensor(background).view({1, 8})};
}

torch::Tensor composed(const torch::Tensor& cutouts, const SceneBatch& scenes) {
  return compose_scenes(CutoutPyramid(cutouts, torch::kCPU), scenes, kSize)[0];
}

std::vector<double> colour(const torch::Tensor& image, std::int64_t x, std::int64_t y) {
  const auto pixel = image.select(2, x).select(1, y).to(torch::kFloat64);
  return {pixel[0].item<double>(), pixel[1].item<double>(), pixel[2].item<double>()};
}

const std::vector<double> kRed{1, 0, 0}, kBlue{0, 0, 1}, kWhite{1, 1, 1};

TEST(Composite, ASquareCoversItsSideAroundItsCentre) {
  // Side 0.25 of 64 pixels about (0.25, 0.75): columns 8 to 23, rows 40 to 55.
  const auto image = composed(two_halves(), scene({0, .25, .75, .25, 0, 0}));
  EXPECT_EQ(colour(image, 9, 41), kRed);
  EXPECT_EQ(colour(image, 14, 54), kRed);
  EXPECT_EQ(colour(image, 17, 41), kBlue);
  EXPECT_EQ(colour(image, 22, 54), kBlue);
  EXPECT_EQ(colour(image, 6, 48), kWhite);
  EXPECT_EQ(colour(image, 25, 48), kWhite);
  EXPECT_EQ(colour(image, 16, 38), kWhite);
  EXPECT_EQ(colour(image, 16, 57), kWhite);
}

TEST(Composite, FlipSwapsLeftAndRight) {
  const auto image = composed(two_halves(), scene({0, .5, .5, .5, 1, 0}));
  EXPECT_EQ(colour(image, 20, 32), kBlue);
  EXPECT_EQ(colour(image, 44, 32), kRed);
}

TEST(Composite, RotationIsClockwise) {
  // A quarter turn clockwise brings the left half to the top.
  const auto image = composed(two_halves(), scene({0, .5, .5, .5, 0, std::numbers::pi_v<float> / 2}));
  EXPECT_GT(colour(image, 32, 20)[0], .99);
  EXPECT_GT(colour(image, 32, 44)[2], .99);
}

TEST(Composite, AlphaMixesWithWhatIsBelow) {
  auto half = two_halves();
  half.select(1, 3).fill_(51);  // 0.2
  const auto pixel = colour(composed(half, scene({0, .5, .5, .5, 0, 0})), 20, 32);
  EXPECT_NEAR(pixel[0], 1, 1e-6);
  EXPECT_NEAR(pixel[1], .8, 1e-6);
  EXPECT_NEAR(pixel[2], .8, 1e-6);
}

TEST(Composite, LaterItemsCoverEarlierOnes) {
  const auto both = torch::cat({two_halves(), two_halves().flip(3)});
  const SceneBatch scenes{torch::tensor({0.F, .5F, .5F, .5F, 0.F, 0.F, 1.F, .5F, .5F, .5F, 0.F, 0.F}).view({1, 2, 6}),
                          torch::ones({1, 8})};
  EXPECT_EQ(colour(composed(both, scenes), 20, 32), kBlue);
}

TEST(Composite, AnAbsentItemLeavesTheBackground) {
  const auto image = composed(two_halves(), scene({-1, .5, .5, .5, 0, 0}));
  EXPECT_TRUE(torch::equal(image, torch::ones_like(image)));
}

TEST(Composite, AGradientRunsFromTopToBottom) {
  const auto image = composed(two_halves(), scene({-1, 0, 0, 1, 0, 0}, {1, 1, 0, 0, 0, 0, 1, 1}));
  EXPECT_NEAR(colour(image, 5, 0)[0], 1 - .5 / kSize, 1e-6);
  EXPECT_NEAR(colour(image, 5, kSize - 1)[2], 1 - .5 / kSize, 1e-6);
}

TEST(Composite, ALandscapeChangesAtItsHorizon) {
  const auto image = composed(two_halves(), scene({-1, 0, 0, 1, 0, 0}, {2, 0, 0, 1, 0, 1, 0, .5}));
  EXPECT_GT(colour(image, 5, 31)[2], .99);
  EXPECT_LT(colour(image, 5, 32)[2], .01);
  EXPECT_GT(colour(image, 5, 32)[1], .99);
}

TEST(Composite, ASceneIsTheSameAloneAndInABatch) {
  torch::manual_seed(1);
  const auto cutouts = torch::randint(0, 256, {5, 4, 16, 16}, torch::kUInt8);
  SceneBatch batch{torch::rand({7, 3, 6}), torch::rand({7, 8})};
  batch.items.select(2, 0).copy_(torch::randint(-1, 5, {7, 3}));
  batch.items.select(2, 3).mul_(.8).add_(.1);
  const CutoutPyramid pyramid(cutouts, torch::kCPU);
  const auto together = compose_scenes(pyramid, batch, kSize);
  for (std::int64_t i = 0; i < 7; ++i) {
    const auto alone = compose_scenes(pyramid, {batch.items.narrow(0, i, 1), batch.background.narrow(0, i, 1)}, kSize);
    EXPECT_TRUE(torch::equal(alone[0], together[i]));
  }
}

TEST(Composite, ASmallCopyOfFineStripesIsTheirMean) {
  // One-pixel stripes shrunk fourfold: sampled at full size they would alias to black and white.
  auto stripes = torch::zeros({1, 4, 64, 64}, torch::kUInt8);
  stripes.select(1, 3).fill_(255);
  stripes.slice(3, 0, 64, 2).narrow(1, 0, 3).fill_(255);
  const auto image = composed(stripes, scene({0, .5, .5, .25, 0, 0}));
  for (const std::int64_t x : {28, 30, 33, 35}) EXPECT_NEAR(colour(image, x, 32)[0], .5, .01);
}

}  // namespace
}  // namespace sfumato
