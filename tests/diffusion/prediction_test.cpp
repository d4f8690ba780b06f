#include "diffusion/prediction.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "diffusion/process.h"

namespace sfumato {
namespace {

const Level kLevel{.t = 300, .alpha = 0.8, .sigma = 0.6};

torch::Tensor random(std::uint64_t seed, std::int64_t channels = 3) {
  return torch::randn({2, channels, 4, 4}, seeded_generator(seed));
}

/// Returns the exact raw output of each type for known x0 and eps, by the definitions of the papers.
torch::Tensor raw_output(PredictionType type, const torch::Tensor& x0, const torch::Tensor& eps) {
  switch (type) {
    case PredictionType::epsilon:
      return eps;
    case PredictionType::v_prediction:
      return kLevel.alpha * eps - kLevel.sigma * x0;
    case PredictionType::sample:
      return x0;
    case PredictionType::flow:
      return eps - x0;
  }
  return {};
}

const auto kTypes = {PredictionType::epsilon, PredictionType::v_prediction, PredictionType::sample,
                     PredictionType::flow};

TEST(Prediction, EveryTypeRecoversBothHalves) {
  const auto x0 = random(1), eps = random(2);
  for (const auto type : kTypes) {
    const auto result = estimate(raw_output(type, x0, eps), add_noise(x0, eps, kLevel), kLevel, {.type = type});
    EXPECT_TRUE(torch::allclose(result.x0, x0, 1e-5, 1e-5));
    EXPECT_TRUE(torch::allclose(result.eps, eps, 1e-5, 1e-5));
    EXPECT_FALSE(result.variance.defined());
  }
}

TEST(Prediction, WithoutSignalEpsilonIsRefusedAndTheOthersGiveX0) {
  const Level noise_only{.t = 999, .alpha = 0, .sigma = 1};
  const auto x0 = random(1), eps = random(2);
  EXPECT_THROW(estimate(eps, eps, noise_only, {.type = PredictionType::epsilon}), std::invalid_argument);
  EXPECT_TRUE(torch::allclose(estimate(-x0, eps, noise_only, {.type = PredictionType::v_prediction}).x0, x0));
  EXPECT_TRUE(torch::allclose(estimate(x0, eps, noise_only, {.type = PredictionType::sample}).x0, x0));
  EXPECT_TRUE(torch::allclose(estimate(eps - x0, eps, noise_only, {.type = PredictionType::flow}).x0, x0, 1e-5, 1e-6));
}

TEST(Prediction, SplitsALearnedVarianceOff) {
  const auto x = random(3);
  const auto result = estimate(random(4, 6), x, kLevel, {.type = PredictionType::epsilon});
  EXPECT_TRUE(torch::equal(result.eps, random(4, 6).slice(1, 0, 3)));
  EXPECT_TRUE(torch::equal(result.variance, random(4, 6).slice(1, 3, 6)));
}

/// Karras et al. 2022, eq. 7 and table 1, at s and sigma_data: x0 = c_skip x + c_out F for x = x0 + s eps, where the
/// network's input is c_in x.
TEST(Prediction, OfEdmIsThePapersPreconditioning) {
  constexpr double kS = 1.7, kData = 0.4, kTotal = kS * kS + kData * kData;
  const double c_in = 1 / std::sqrt(kTotal), c_skip = kData * kData / kTotal, c_out = kS * kData / std::sqrt(kTotal);
  ScheduleConfig config = ScheduleConfig::from_json({{"_class_name", "EDMEulerScheduler"}, {"sigma_data", kData}});
  const auto output = random(1), x = random(2);
  const Level level{.t = std::log(kS) / 4, .alpha = c_in, .sigma = kS * c_in};
  const auto expected = c_skip * x + c_out * output;
  const auto result = estimate(output, c_in * x, level, Prediction::of(config));
  EXPECT_TRUE(torch::allclose(result.x0, expected, 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(result.eps, (x - expected) / kS, 1e-5, 1e-6));
  config.prediction_type = "v_prediction";
  EXPECT_TRUE(torch::allclose(estimate(output, c_in * x, level, Prediction::of(config)).x0, c_skip * x - c_out * output,
                              1e-5, 1e-6));
}

TEST(Prediction, OfAnInvertedFlowHasTheOppositeSign) {
  auto config = ScheduleConfig::from_json({{"_class_name", "FlowMatchEulerDiscreteScheduler"}});
  const auto x0 = random(1), eps = random(2);
  const Level level{.t = 300, .alpha = 0.7, .sigma = 0.3};
  const auto x = add_noise(x0, eps, level);
  EXPECT_TRUE(torch::allclose(estimate(eps - x0, x, level, Prediction::of(config)).x0, x0, 1e-5, 1e-5));
  config.flow.invert_sigmas = true;
  EXPECT_TRUE(torch::allclose(estimate(x0 - eps, x, level, Prediction::of(config)).x0, x0, 1e-5, 1e-5));
}

TEST(Prediction, IsFloat32WhateverTheNetworkComputesIn) {
  const auto result =
      estimate(random(1).to(torch::kBFloat16), random(2), kLevel, {.type = PredictionType::v_prediction});
  EXPECT_EQ(result.x0.scalar_type(), torch::kFloat32);
  EXPECT_EQ(result.eps.scalar_type(), torch::kFloat32);
}

TEST(Threshold, ClippingBoundsX0AndLeavesTheNoise) {
  Prediction prediction{.type = PredictionType::sample,
                        .threshold = {.clip = 0.5, .dynamic_ratio = 0, .dynamic_max = 1}};
  const auto x0 = random(1), eps = random(2), x = add_noise(x0, eps, kLevel);
  const auto result = estimate(x0, x, kLevel, prediction);
  EXPECT_TRUE(torch::equal(result.x0, x0.clamp(-0.5, 0.5)));
  EXPECT_TRUE(torch::allclose(result.eps, eps, 1e-5, 1e-5));
}

// Saharia et al. 2022, section 2.3: s is the quantile of |x0|, at least 1; x0 is clipped to [-s, s] and divided by s.
TEST(Threshold, DynamicDividesByTheQuantileOfEachImage) {
  auto x0 = torch::zeros({2, 1, 1, 5});
  x0[0] = torch::tensor({-4.0, 0.0, 1.0, 2.0, 3.0});
  x0[1] = torch::tensor({-0.5, 0.0, 0.1, 0.2, 0.3});
  const auto result = apply_threshold(x0, {.clip = 0, .dynamic_ratio = 0.75, .dynamic_max = 10});
  EXPECT_TRUE(torch::allclose(result[0], torch::tensor({-1.0, 0.0, 1.0 / 3, 2.0 / 3, 1.0}).view({1, 1, 5})));
  EXPECT_TRUE(torch::equal(result[1], x0[1]));
}

// Salimans & Ho 2022, appendix D: x0 = alpha x_t - sigma v.
TEST(ForwardProcess, VelocityGivesX0Back) {
  const Schedule schedule;
  const ForwardProcess process(schedule, torch::kCPU);
  const auto x0 = random(1), eps = random(2);
  const auto ts = torch::tensor({0, 700}, torch::kInt64);
  const auto xt = process.add_noise(x0, eps, ts), v = process.target(PredictionType::v_prediction, x0, eps, ts);
  for (const int i : {0, 1}) {
    const auto level = schedule.level_at(ts[i].item<double>());
    EXPECT_TRUE(torch::allclose(level.alpha * xt[i] - level.sigma * v[i], x0[i], 1e-5, 1e-5));
  }
}

TEST(ForwardProcess, HasTheMeanAndDeviationOfQ) {
  const Schedule schedule;
  const auto x0 = torch::full({1, 1, 400, 400}, 2.0);
  const auto noise = torch::randn({1, 1, 400, 400}, seeded_generator(7));
  const auto xt = ForwardProcess(schedule, torch::kCPU).add_noise(x0, noise, torch::tensor({300}, torch::kInt64));
  const auto abar = schedule.alphas_cumprod()[300];
  // 160,000 samples: five standard errors.
  EXPECT_NEAR(xt.mean().item<double>(), 2 * std::sqrt(abar), 5 * std::sqrt((1 - abar) / 160000));
  EXPECT_NEAR(xt.var().item<double>(), 1 - abar, 5 * (1 - abar) * std::sqrt(2.0 / 160000));
}

TEST(ForwardProcess, SignalToNoiseIsAlphaSquaredOverSigmaSquared) {
  const Schedule schedule;
  const auto snr = ForwardProcess(schedule, torch::kCPU).snr(torch::tensor({500}, torch::kInt64)).item<double>();
  const auto abar = schedule.alphas_cumprod()[500];
  EXPECT_NEAR(snr, abar / (1 - abar), 1e-5 * snr);
}

}  // namespace
}  // namespace sfumato
