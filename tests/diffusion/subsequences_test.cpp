#include "diffusion/subsequences.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "diffusion/timesteps.h"

namespace sfumato {
namespace {

using Timesteps = std::vector<std::int64_t>;

Schedule schedule_of(std::int64_t timesteps) {
  ScheduleConfig config;
  config.num_train_timesteps = timesteps;
  return Schedule(config);
}

TEST(Subsequences, QuadraticAreSquaresUpToFourFifths) {
  // sqrt(0.8 * 2000) = 40 as 5 numbers: 0, 10, 20, 30, 40.
  EXPECT_EQ(quadratic_timesteps(schedule_of(2000), 5), (Timesteps{1600, 900, 400, 100, 0}));
  // [int(s) for s in numpy.linspace(0, numpy.sqrt(1000 * 0.8), 10) ** 2], from the DDIM code.
  EXPECT_EQ(quadratic_timesteps(Schedule(), 10), (Timesteps{800, 632, 483, 355, 246, 158, 88, 39, 9, 0}));
  EXPECT_EQ(quadratic_timesteps(Schedule(), 1), (Timesteps{0}));
}

TEST(Subsequences, QuadraticTimestepsThatCoincideAreKeptOnce) {
  const auto timesteps = quadratic_timesteps(Schedule(), 1000);
  EXPECT_LT(timesteps.size(), 1000U);
  for (std::size_t i = 1; i < timesteps.size(); ++i) EXPECT_LT(timesteps[i], timesteps[i - 1]);
  EXPECT_EQ(timesteps.back(), 0);
}

TEST(Subsequences, RespacingKeepsEachSectionsFirstAndLast) {
  // Example in the improved DDPM code: 300 timesteps in sections of 100 with 10, 15 and 20.
  const auto timesteps = respaced_timesteps(schedule_of(300), {10, 15, 20});
  ASSERT_EQ(timesteps.size(), 45U);
  EXPECT_EQ(timesteps.front(), 299);
  EXPECT_EQ(timesteps[19], 200);
  EXPECT_EQ(timesteps[20], 199);
  EXPECT_EQ(timesteps[34], 100);
  EXPECT_EQ(timesteps[35], 99);
  EXPECT_EQ(timesteps.back(), 0);
  EXPECT_EQ(timesteps[44 - 1], 11);  // 99 / 9
}

TEST(Subsequences, RespacingRoundsHalfToEvenAndGivesTheRestToTheFirstSections) {
  EXPECT_EQ(respaced_timesteps(schedule_of(10), {3}), (Timesteps{9, 4, 0}));             // 4.5
  EXPECT_EQ(respaced_timesteps(schedule_of(7), {2, 2, 1}), (Timesteps{5, 4, 3, 2, 0}));  // sections of 3, 2 and 2
  EXPECT_EQ(respaced_timesteps(schedule_of(4), {4}), (Timesteps{3, 2, 1, 0}));
}

TEST(Subsequences, OneSectionIsLinspaceSpacing) {
  ScheduleConfig config;
  config.timestep_spacing = "linspace";
  const Schedule schedule(config);
  EXPECT_EQ(respaced_timesteps(schedule, {5}), timesteps(schedule, 5));
}

TEST(Subsequences, RespacingsAreReadAsTheReleasedCodeReadsThem) {
  const Schedule schedule;
  EXPECT_EQ(parse_respacing(schedule, "25"), respaced_timesteps(schedule, {25}));
  EXPECT_EQ(parse_respacing(schedule, "10,15,20"), respaced_timesteps(schedule, {10, 15, 20}));
  const auto strided = parse_respacing(schedule, "ddim50");  // 0, 20, ..., 980
  ASSERT_EQ(strided.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(strided[i], 20 * (49 - static_cast<std::int64_t>(i)));
  // Sections of 200: ten in each of the first two, three in the next, two in the last two, whose 999 becomes 997.
  const Timesteps fast27 = {997, 800, 799, 600, 599, 500, 400, 399, 377, 355, 333, 311, 288, 266,
                            244, 222, 200, 199, 177, 155, 133, 111, 88,  66,  44,  22,  0};
  EXPECT_EQ(parse_respacing(schedule, "fast27"), fast27);
}

TEST(Subsequences, RefuseRespacingsThatNoStrideKeeps) {
  for (const auto* text : {"ddim", "ddim0", "ddim501", "ddim10,20", "fast28", "", "ten"})
    EXPECT_THROW(parse_respacing(Schedule(), text), std::invalid_argument) << text;
}

TEST(Subsequences, RefuseCountsThatDoNotFit) {
  EXPECT_THROW(quadratic_timesteps(Schedule(), 0), std::invalid_argument);
  EXPECT_THROW(quadratic_timesteps(Schedule(), 1001), std::invalid_argument);
  EXPECT_THROW(respaced_timesteps(Schedule(), {}), std::invalid_argument);
  EXPECT_THROW(respaced_timesteps(Schedule(), {500, 501}), std::invalid_argument);
  EXPECT_THROW(respaced_timesteps(Schedule(), {0}), std::invalid_argument);
  for (const auto* text : {"", ",", "10,", "ten", "10;20", "1.5"})
    EXPECT_THROW(parse_counts("respacing", text), std::invalid_argument) << text;
  EXPECT_EQ(parse_counts("respacing", "10,15,20"), (Timesteps{10, 15, 20}));
}

TEST(Subsequences, BetasOfTheStepsHaveTheProductsOfTheWholeProcess) {
  // SpacedDiffusion: beta'_i = 1 - alphas_cumprod[tau_i] / alphas_cumprod[tau_(i-1)], whose products are the old ones.
  const Schedule schedule;
  const auto kept = respaced_timesteps(schedule, {7, 3});
  const auto steps = steps_at(schedule, kept, {.t = 0, .alpha = 1, .sigma = 0});
  ASSERT_EQ(steps.size(), 10U);
  double product = 1;
  for (std::size_t i = steps.size(); i-- > 0;) {
    const auto& [from, to, middle] = steps[i];
    const double beta = 1 - std::pow(from.alpha / to.alpha, 2);
    product *= 1 - beta;
    EXPECT_EQ(from.t, static_cast<double>(kept[i]));
    EXPECT_NEAR(product, schedule.alphas_cumprod()[static_cast<std::size_t>(kept[i])], 1e-14);
  }
}

TEST(Subsequences, InverseStepsLeadBackAtTheSameTimesteps) {
  const Schedule schedule;
  const auto steps = steps_at(schedule, {900, 500, 0}, {.t = 0, .alpha = 1, .sigma = 0});
  const auto inverse = inverse_steps(steps);
  ASSERT_EQ(inverse.size(), 3U);
  EXPECT_EQ(inverse.front().from.sigma, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(inverse[i].from.t, steps[2 - i].from.t);
    EXPECT_EQ(inverse[i].from.alpha, steps[2 - i].to.alpha);
    EXPECT_EQ(inverse[i].to.alpha, steps[2 - i].from.alpha);
  }
}

}  // namespace
}  // namespace sfumato
