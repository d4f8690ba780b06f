#include "systems/forward.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

TEST(Diffuse, IsTheImageAndOneNoiseInTheSharesOfTheLevel) {
  const Forward forward{.first_stage = FirstStage(3, torch::kCPU), .schedule = Schedule()};
  const auto image = torch::linspace(-1, 1, 48).view({1, 3, 4, 4});
  NoiseSource noise({5}), same({5});
  const auto eps = same.draw({3, 4, 4});
  const std::vector<std::int64_t> timesteps{0, 500, 999};
  const auto images = diffuse(forward, image, timesteps, noise);
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const auto level = Schedule().level_at(static_cast<double>(timesteps[i]));
    const auto expected = level.alpha * image + level.sigma * eps;
    EXPECT_LT((images[static_cast<std::int64_t>(i)] - expected[0]).abs().max().item<double>(), 1e-6);
  }
}

TEST(Diffuse, OfOneChannelIsGrey) {
  const Forward forward{.first_stage = FirstStage(1, torch::kCPU), .schedule = Schedule()};
  auto image = torch::zeros({1, 3, 2, 2});
  image[0][1].fill_(1);  // green, of weight 0.587
  NoiseSource noise({5});
  const auto x0 = forward.first_stage.encode(image);
  EXPECT_EQ(x0.sizes(), (at::IntArrayRef{1, 1, 2, 2}));
  EXPECT_NEAR(x0[0][0][0][0].item<double>(), 0.587, 1e-6);
  const auto images = diffuse(forward, image, {999}, noise);
  EXPECT_TRUE(images[0][0].equal(images[0][2]));
}

TEST(Diffuse, RefusesATimestepOutsideOfTheSchedule) {
  const Forward forward{.first_stage = FirstStage(3, torch::kCPU), .schedule = Schedule()};
  NoiseSource noise({5});
  EXPECT_THROW(diffuse(forward, torch::zeros({1, 3, 2, 2}), {1000}, noise), std::invalid_argument);
  EXPECT_THROW(diffuse(forward, torch::zeros({1, 3, 2, 2}), {-1}, noise), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
