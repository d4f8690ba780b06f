#include "training/ema.h"

#include <gtest/gtest.h>

#include "training/learning_rate.h"

namespace sfumato {
namespace {

TEST(Ema, DecayWarmsUpToItsFinalValue) {
  const Ema ema({}, 0.999);
  EXPECT_DOUBLE_EQ(ema.decay_at(0), 0.1);
  EXPECT_DOUBLE_EQ(ema.decay_at(80), 0.9);
  EXPECT_DOUBLE_EQ(ema.decay_at(1'000'000), 0.999);
}

TEST(Ema, FollowsTheClosedFormOfAConstantTarget) {
  // average after n updates towards 1 from 0: 1 - prod(decay_i)
  auto weight = torch::zeros({1}).requires_grad_(true);
  Ema ema({{"w", weight}}, 0.999);
  weight.set_data(torch::ones({1}));
  double remaining = 1;
  for (int step = 0; step < 20; ++step) {
    ema.update(step);
    remaining *= ema.decay_at(step);
  }
  EXPECT_NEAR(ema.state().at("w").item<double>(), 1 - remaining, 1e-6);
}

TEST(Ema, AScopePutsTheAveragesInPlaceAndTakesThemBack) {
  auto weight = torch::zeros({1}).requires_grad_(true);
  Ema ema({{"w", weight}}, 0.5);
  weight.set_data(torch::ones({1}));
  {
    const EmaScope scope(ema);
    EXPECT_EQ(weight.item<float>(), 0.0F);
  }
  EXPECT_EQ(weight.item<float>(), 1.0F);
  EXPECT_EQ(ema.state().at("w").item<float>(), 0.0F);
}

TEST(LearningRate, WarmsUpLinearlyThenFallsAlongHalfACosine) {
  const LearningRate rate{.peak = 1.0, .warmup_steps = 10, .total_steps = 110, .final_fraction = 0.1};
  EXPECT_DOUBLE_EQ(rate.at(0), 0.1);
  EXPECT_DOUBLE_EQ(rate.at(9), 1.0);
  EXPECT_DOUBLE_EQ(rate.at(10), 1.0);
  EXPECT_NEAR(rate.at(60), 0.55, 1e-12) << "half-way: the mean of the peak and what is left";
  EXPECT_NEAR(rate.at(110), 0.1, 1e-12);
  EXPECT_NEAR(rate.at(500), 0.1, 1e-12);
}

}  // namespace
}  // namespace sfumato
