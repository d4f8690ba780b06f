#include "diffusion/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "diffusion/continuous_process.h"
#include "diffusion/steps.h"
#include "diffusion/timesteps.h"

namespace sfumato {
namespace {

ScheduleConfig stable_diffusion() {
  return ScheduleConfig::from_json({{"_class_name", "DDIMScheduler"},
                                    {"beta_schedule", "scaled_linear"},
                                    {"beta_start", 0.00085},
                                    {"beta_end", 0.012},
                                    {"set_alpha_to_one", false},
                                    {"steps_offset", 1},
                                    {"clip_sample", false}});
}

TEST(Schedule, KeepsTheVarianceOfUnitData) {
  const Schedule schedule(stable_diffusion());
  for (const double t : {0.0, 1.0, 0.5, 499.25, 998.999, 999.0}) {
    const auto level = schedule.level_at(t);
    EXPECT_NEAR(level.alpha * level.alpha + level.sigma * level.sigma, 1, 1e-15) << t;
  }
}

// Ho et al. 2020, section 4: beta from 1e-4 to 0.02 leaves alpha_bar_T = prod(1 - beta_t), of which
// log = sum log(1 - beta_t); both sums computed here from the definition.
TEST(Schedule, LinearBetasMultiplyToTheClosedForm) {
  const Schedule schedule;
  double log_product = 0;
  for (int t = 0; t < 1000; ++t) log_product += std::log1p(-(1e-4 + (0.02 - 1e-4) * t / 999));
  EXPECT_NEAR(std::log(schedule.alphas_cumprod().back()), log_product, 1e-10);
}

TEST(Schedule, ZeroTerminalSnrHasNoSignalAndKeepsTheFirstLevel) {
  auto config = stable_diffusion();
  const Schedule plain(config);
  config.rescale_betas_zero_snr = true;
  const Schedule rescaled(config);
  EXPECT_EQ(rescaled.level_at(999).alpha, 0);
  EXPECT_EQ(rescaled.level_at(999).sigma, 1);
  EXPECT_NEAR(rescaled.level_at(0).alpha, plain.level_at(0).alpha, 1e-15);
  EXPECT_EQ(rescaled.betas().back(), 1);
  EXPECT_NEAR(rescaled.ratios().back(), 4096, 1e-3);  // sqrt(2^24 - 1)
}

TEST(Schedule, TimestepOfARatioInvertsTheLevelOfATimestep) {
  for (const bool zero_snr : {false, true}) {
    auto config = stable_diffusion();
    config.rescale_betas_zero_snr = zero_snr;
    const Schedule schedule(config);
    for (const double t : {0.0, 0.25, 1.0, 499.5, 997.125, 998.5}) {
      const auto level = schedule.level_at(t);
      EXPECT_NEAR(schedule.t_at(level.sigma / level.alpha), t, 1e-8);
      EXPECT_NEAR(schedule.level_of_ratio(level.sigma / level.alpha).alpha, level.alpha, 1e-12);
    }
    EXPECT_EQ(schedule.t_at(0), 0);
    EXPECT_EQ(schedule.t_at(1e9), 999);
  }
}

TEST(Schedule, EndsCleanOrAtTimestepZeroAsSetAlphaToOneSays) {
  auto config = stable_diffusion();
  EXPECT_EQ(Schedule(config).level_at(-1).alpha, Schedule(config).level_at(0).alpha);
  config.set_alpha_to_one = true;
  EXPECT_EQ(Schedule(config).level_at(-1).alpha, 1);
  EXPECT_EQ(Schedule(config).level_at(-1).sigma, 0);
}

TEST(Schedule, RefusesATimestepBeyondItsLast) {
  EXPECT_THROW(Schedule().level_at(1000), std::invalid_argument);
  EXPECT_THROW(Schedule().level_at(NAN), std::invalid_argument);
}

TEST(Steps, DdimGoesToTMinusTheStrideAndNotToTheNextTimestep) {
  auto config = stable_diffusion();
  config.timestep_spacing = "linspace";
  const auto steps = make_steps(Schedule(config), 7, StepGrid::ddim);
  EXPECT_EQ(steps[0].from.t, 999);
  EXPECT_EQ(steps[0].to.t, 999 - 142);
  EXPECT_EQ(steps[1].from.t, 832);  // 832.5 rounds to even
}

TEST(Steps, AncestralGoesToTheNextTimestepAndEndsClean) {
  const auto steps = make_steps(Schedule(stable_diffusion()), 7, StepGrid::ancestral);
  ASSERT_EQ(steps.size(), 7u);
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) EXPECT_EQ(steps[i].to.t, steps[i + 1].from.t);
  EXPECT_EQ(steps.back().from.t, 1);
  EXPECT_EQ(steps.back().to.alpha, 1);
}

TEST(Steps, TrailingSpacingGivesAsManyAsAskedAndNoneBelowZero) {
  ScheduleConfig config;
  config.timestep_spacing = "trailing";
  const Schedule schedule(config);
  for (std::int64_t n = 1; n <= 1000; ++n) {
    const auto ts = timesteps(schedule, n);
    ASSERT_EQ(static_cast<std::int64_t>(ts.size()), n);
    EXPECT_EQ(ts.front(), 999) << n;
    EXPECT_GE(ts.back(), 0) << n;
  }
}

TEST(Steps, RefusesCountsThatTheScheduleDoesNotHold) {
  const Schedule schedule(stable_diffusion());
  EXPECT_THROW(timesteps(schedule, 0), std::invalid_argument);
  EXPECT_THROW(timesteps(schedule, -3), std::invalid_argument);
  EXPECT_THROW(timesteps(schedule, 1001), std::invalid_argument);
  EXPECT_THROW(timesteps(schedule, 1000), std::invalid_argument);  // steps_offset 1 would start at 1000
  EXPECT_EQ(timesteps(Schedule(), 1000).front(), 999);
}

TEST(Steps, ImageToImageTakesTheLastStepsRoundedDown) {
  const auto steps = make_steps(Schedule(stable_diffusion()), 50, StepGrid::ddim);
  EXPECT_EQ(last_steps(steps, 50, 0).size(), 0u);
  EXPECT_EQ(last_steps(steps, 50, 1).size(), 50u);
  const auto some = last_steps(steps, 50, 0.75);
  ASSERT_EQ(some.size(), 37u);
  EXPECT_EQ(some.front().from.t, steps[13].from.t);
  EXPECT_THROW(last_steps(steps, 50, 1.01), std::invalid_argument);
  EXPECT_THROW(last_steps(steps, 50, -0.1), std::invalid_argument);
  EXPECT_THROW(last_steps(steps, 50, NAN), std::invalid_argument);
}

TEST(Steps, RestartGoesBackUpTwiceFromTheLevelNearestToItsLowerEnd) {
  const Schedule schedule(stable_diffusion());
  const auto plain = make_steps(schedule, 20, StepGrid::interpolated);
  const auto steps = make_steps(schedule, 20, StepGrid::restart);
  ASSERT_EQ(steps.size(), 20u + 2 * 5);
  std::vector<double> reached;
  for (std::size_t i = 1; i < steps.size(); ++i) {
    if (steps[i].from.ratio() <= steps[i - 1].to.ratio()) continue;
    EXPECT_NEAR(steps[i].from.ratio(), 2, 1e-12);
    reached.push_back(steps[i - 1].to.ratio());
  }
  ASSERT_EQ(reached.size(), 2u);
  EXPECT_EQ(reached[0], reached[1]);
  for (const auto& step : plain) EXPECT_GE(std::abs(step.to.ratio() - 0.1), std::abs(reached[0] - 0.1));
}

TEST(Steps, WithoutALevelToRestartFromThereIsNoRestart) {
  const Schedule schedule(stable_diffusion());
  EXPECT_EQ(make_steps(schedule, 1, StepGrid::restart).size(), 1u);
}

TEST(Steps, ImageToImageRestartsFromNothingNoisierThanItsImage) {
  const Schedule schedule(stable_diffusion());
  const auto plain = make_steps(schedule, 20, StepGrid::interpolated);
  const auto steps = make_steps(schedule, 20, StepGrid::restart);
  EXPECT_EQ(last_steps(steps, 20, 1).size(), steps.size());
  for (const double strength : {0.9, 0.5, 0.3, 0.1, 0.05}) {
    const auto some = last_steps(steps, 20, strength);
    EXPECT_EQ(some.front().from.t, last_steps(plain, 20, strength).front().from.t) << strength;
    for (const auto& step : some) EXPECT_LE(step.from.ratio(), some.front().from.ratio()) << strength;
    EXPECT_EQ(some.back().to.sigma, 0);
  }
  EXPECT_EQ(last_steps(steps, 20, 0.9).size(), steps.size() - 2);  // above the restarts' 2
}

Schedule with_runge_kutta() {
  return Schedule(ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", false}}));
}

// timesteps, half a stride of 100 / 2 lower and the end of each of the first three steps, as prk_timesteps has them.
TEST(Steps, PndmsFirstThreeAreOfRungeAndKuttaInFourEach) {
  const auto steps = make_steps(with_runge_kutta(), 10, StepGrid::pndm);
  std::vector<double> told, reached;
  for (const auto& step : steps) told.push_back(step.from.t), reached.push_back(step.to.t);
  EXPECT_EQ(told, (std::vector<double>{900, 850, 850, 800, 800, 750, 750, 700, 700, 650, 650, 600, 600, 500, 400, 300,
                                       200, 100, 0}));
  EXPECT_EQ(std::vector<double>(reached.begin(), reached.begin() + 5), (std::vector<double>{850, 850, 800, 800, 750}));
  for (std::size_t i = 0; i < steps.size(); ++i)
    EXPECT_EQ(is_runge_kutta(steps, i) && i % 4 == 0, i < 12 && i % 4 == 0);
  EXPECT_THROW(make_steps(with_runge_kutta(), 3, StepGrid::pndm), std::invalid_argument);
}

TEST(Steps, ImageToImageLeavesOutStepsOfRungeAndKuttaAsWhole) {
  const auto steps = make_steps(with_runge_kutta(), 10, StepGrid::pndm);
  for (const auto& [strength, first, count] : std::vector<std::tuple<double, double, std::size_t>>{
           {1, 900, 19}, {0.9, 800, 15}, {0.8, 700, 11}, {0.7, 600, 7}, {0.5, 400, 5}, {0.1, 0, 1}}) {
    const auto some = last_steps(steps, 10, strength);
    ASSERT_EQ(some.size(), count) << strength;
    EXPECT_EQ(some.front().from.t, first) << strength;
    EXPECT_EQ(is_runge_kutta(some, 0), strength > 0.75) << strength;
  }
}

TEST(Steps, PndmWithoutThemHasNone) {
  for (std::int64_t n = 1; n <= 12; ++n) {
    const auto steps = make_steps(Schedule(stable_diffusion()), n, StepGrid::pndm);
    for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_FALSE(is_runge_kutta(steps, i)) << n << " " << i;
  }
}

TEST(Steps, ConsistencyModelsHaveNoMoreStepsThanTheyWereDistilledWith) {
  const Schedule schedule(ScheduleConfig::from_json({{"_class_name", "LCMScheduler"}}));
  EXPECT_EQ(consistency_timesteps(schedule, 4), (std::vector<std::int64_t>{999, 759, 499, 259}));
  EXPECT_EQ(make_steps(schedule, 50, StepGrid::lcm).size(), 50u);
  EXPECT_THROW(make_steps(schedule, 51, StepGrid::lcm), std::invalid_argument);
  EXPECT_THROW(make_steps(schedule, 51, StepGrid::tcd), std::invalid_argument);
}

TEST(Steps, SigmaMinEndsAtTimestepZero) {
  const auto config =
      ScheduleConfig::from_json({{"_class_name", "EulerDiscreteScheduler"}, {"final_sigmas_type", "sigma_min"}});
  const Schedule schedule(config);
  for (const auto grid : {StepGrid::interpolated, StepGrid::solver, StepGrid::deis})
    EXPECT_EQ(make_steps(schedule, 9, grid).back().to.ratio(), schedule.level_at(0).ratio());
}

Schedule schedule_of_class(const std::string& name, Json keys = Json::object()) {
  keys["_class_name"] = name;
  return Schedule(ScheduleConfig::from_json(keys));
}

TEST(ContinuousProcess, LevelsAreThoseOfItsTimesAndTheirInverse) {
  for (const std::string name : {"EDMEulerScheduler", "IPNDMScheduler", "FlowMatchEulerDiscreteScheduler"}) {
    const auto schedule = schedule_of_class(name);
    for (const double ratio : {0.01, 0.5, 3.0, 70.0})
      EXPECT_NEAR(schedule.level_of_ratio(ratio).ratio(), ratio, 1e-9 * ratio) << name;
    EXPECT_EQ(make_steps(schedule, 5, StepGrid::interpolated).back().to.sigma, 0) << name;
    EXPECT_EQ(schedule.final_level().alpha, 1) << name;
  }
}

TEST(ContinuousProcess, OfEdmHasUnitVarianceOfItsData) {
  const auto schedule = schedule_of_class("EDMEulerScheduler", {{"sigma_data", 0.3}});
  const auto level = schedule.level_of_ratio(2.5);
  EXPECT_NEAR(std::pow(level.alpha * 0.3, 2) + std::pow(level.sigma, 2), 1, 1e-12);
  EXPECT_NEAR(level.t, std::log(2.5) / 4, 1e-7);
  const auto steps = make_steps(schedule, 8, StepGrid::interpolated);
  EXPECT_NEAR(steps.front().from.ratio(), 80, 1e-9);
  EXPECT_NEAR(steps.back().from.ratio(), 0.002, 1e-12);
}

TEST(ContinuousProcess, OfIpndmAndFlowStartsFromNoiseAlone) {
  for (const std::string name : {"IPNDMScheduler", "FlowMatchEulerDiscreteScheduler"}) {
    const auto first = make_steps(schedule_of_class(name), 5, StepGrid::ancestral).front().from;
    EXPECT_EQ(first.alpha, 0) << name;
    EXPECT_EQ(first.sigma, 1) << name;
  }
}

TEST(ContinuousProcess, HasNoNumberedTimesteps) {
  const auto schedule = schedule_of_class("EDMEulerScheduler");
  EXPECT_THROW(schedule.level_at(10), std::invalid_argument);
  EXPECT_THROW(schedule.betas(), std::invalid_argument);
  EXPECT_THROW(schedule.alphas_cumprod(), std::invalid_argument);
  EXPECT_THROW(schedule.ratios(), std::invalid_argument);
  EXPECT_THROW(make_steps(schedule, 4, StepGrid::tcd), std::invalid_argument);
  EXPECT_THROW(make_steps(schedule, 0, StepGrid::interpolated), std::invalid_argument);
  auto config = schedule.config();
  config.sigma_schedule = "simple";
  EXPECT_THROW(make_steps(Schedule(config), 4, StepGrid::interpolated), std::invalid_argument);
}

TEST(ContinuousProcess, OfFlowNeedsTheShiftThatItsImageChooses) {
  auto config = schedule_of_class("FlowMatchEulerDiscreteScheduler", {{"use_dynamic_shifting", true}}).config();
  EXPECT_THROW(make_steps(Schedule(config), 4, StepGrid::interpolated), std::invalid_argument);
  // FLUX: 0.5 at 256 tokens, 1.15 at 4096.
  EXPECT_NEAR(dynamic_shift(config.flow, 256), 0.5, 1e-12);
  EXPECT_NEAR(dynamic_shift(config.flow, 4096), 1.15, 1e-12);
  config.flow.mu = dynamic_shift(config.flow, 1024);
  const auto steps = make_steps(Schedule(config), 3, StepGrid::interpolated);
  // sigma = e^mu / (e^mu + 1 / t - 1) at t near 1/2 (Esser et al. 2024, eq. 23 with alpha = e^mu).
  const double t = (1 + 1e-3) / 2, factor = std::exp(0.5 + 0.65 * 768 / 3840);
  EXPECT_NEAR(steps[1].from.sigma, factor / (factor + 1 / t - 1), 1e-12);
}

}  // namespace
}  // namespace sfumato
