#include "diffusion/sigma_schedules.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diffusion/beta_distribution.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"

namespace sfumato {
namespace {

// I_x(1/2, 1/2) = (2 / pi) asin(sqrt x).
TEST(BetaQuantile, IsThatOfTheArcsineDistribution) {
  for (const double p : {1e-6, 0.01, 0.3, 0.5, 0.77, 0.999})
    EXPECT_NEAR(beta_quantile(p, 0.5, 0.5), std::pow(std::sin(M_PI / 2 * p), 2), 1e-14) << p;
}

// I_x(1, b) = 1 - (1 - x)^b and I_x(a, 1) = x^a.
TEST(BetaQuantile, IsTheClosedFormWhereOneShapeIsOne) {
  for (const double p : {1e-6, 0.01, 0.3, 0.5, 0.77, 0.999}) {
    EXPECT_NEAR(beta_quantile(p, 1, 3.5), 1 - std::pow(1 - p, 1 / 3.5), 1e-14) << p;
    EXPECT_NEAR(beta_quantile(p, 0.6, 1), std::pow(p, 1 / 0.6), 1e-14) << p;
  }
}

TEST(BetaQuantile, EndsAtZeroAndOneAndIsSymmetricForEqualShapes) {
  EXPECT_EQ(beta_quantile(0, 0.6, 0.6), 0);
  EXPECT_EQ(beta_quantile(1, 0.6, 0.6), 1);
  EXPECT_NEAR(beta_quantile(0.5, 0.6, 0.6), 0.5, 1e-15);
  EXPECT_NEAR(beta_quantile(0.2, 0.6, 0.6) + beta_quantile(0.8, 0.6, 0.6), 1, 1e-15);
}

TEST(SigmaSchedules, EveryOneFallsForAnyCountOfSteps) {
  const Schedule schedule;
  for (const auto& spacing : sigma_schedules()) {
    if (spacing.ratios == nullptr) continue;
    for (const std::int64_t n : {1, 2, 10, 33, 999}) {
      const auto ratios = spacing.ratios({.schedule = schedule, .first = 150, .last = 0.01, .n = n});
      ASSERT_EQ(static_cast<std::int64_t>(ratios.size()), n) << spacing.name;
      for (std::size_t i = 1; i < ratios.size(); ++i) EXPECT_LT(ratios[i], ratios[i - 1]) << spacing.name;
      EXPECT_GT(ratios.back(), 0) << spacing.name;
    }
  }
}

TEST(SigmaSchedules, EverySamplerThatGoesBySigmaTakesEveryOne) {
  for (const auto& spacing : sigma_schedules()) {
    ScheduleConfig config;
    config.sigma_schedule = spacing.name;
    const Schedule schedule(config);
    for (const auto& sampler : samplers()) {
      if (!goes_by_sigma(sampler.grid)) continue;
      for (const auto& step : make_steps(schedule, 12, sampler.grid)) {
        EXPECT_GT(step.from.sigma, step.to.sigma) << sampler.name << ", " << spacing.name;
        // Within one of the model's timesteps, because the solvers use whole ones.
        EXPECT_NEAR(step.from.t, schedule.t_at(step.from.ratio()), 1) << sampler.name << ", " << spacing.name;
      }
    }
  }
}

TEST(SigmaSchedules, AnUnknownOneIsRefusedWithThoseThatThereAre) {
  try {
    find_sigma_schedule("linear");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'linear', expected one of discrete, karras"), std::string::npos);
  }
}

}  // namespace
}  // namespace sfumato
