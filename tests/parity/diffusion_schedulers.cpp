#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "diffusion/process.h"
#include "parity/diffusion_trajectory.h"

namespace sfumato::parity {
namespace {

/// With the reference's own tables. It computes 1 - alphas_cumprod in float32, which costs sigma up to 7e-4 of itself
/// at timestep 0 of the cosine schedule, where sample-prediction divides by it.
constexpr double kFloat32TablesTolerance = 3e-4;
/// With its tables in float64 only the rounding of the float32 latents remains.
constexpr double kTrajectoryTolerance = 1e-5;

const Golden& golden() {
  static const Golden loaded = Golden::load();
  return loaded;
}

std::string describe(const Json& one) {
  Json shown = one;
  shown.erase("timesteps");
  shown.at("config").erase("trained_betas");
  return shown.dump();
}

class Trajectories : public testing::TestWithParam<std::string> {
 protected:
  /// Calls `check` with each of the sampler's cases, computed with those tables, and the reference's latents.
  template <class Check>
  void for_each_case(const std::string& tables, Check check) {
    int count = 0;
    for (const auto& one : golden().cases) {
      if (one.value("sampler", "") != GetParam() || one.value("tables", "") != tables) continue;
      SCOPED_TRACE(describe(one));
      check(one, golden().latents(one, static_cast<std::int64_t>(one.at("timesteps").size())));
      ++count;
    }
    EXPECT_GT(count, 50);
  }
};

TEST_P(Trajectories, HaveTheReferencesTimesteps) {
  for_each_case("float32", [](const Json& one, const torch::Tensor&) {
    const Schedule schedule(ScheduleConfig::from_json(one.at("config")));
    const auto expected = one.at("timesteps").get<std::vector<double>>();
    std::vector<double> actual;
    const auto& sampler = find_sampler(one.at("sampler").get<std::string>());
    for (const auto& step : make_steps(schedule, one.at("steps").get<std::int64_t>(), sampler.grid))
      actual.push_back(step.from.t);
    EXPECT_EQ(actual, expected);
  });
}

TEST_P(Trajectories, AreTheReferencesAfterEveryStep) {
  std::map<std::string, double> worst;
  for (const auto& [tables, tolerance] :
       {std::pair("float32", kFloat32TablesTolerance), std::pair("float64", kTrajectoryTolerance)}) {
    for_each_case(tables, [&, tables = tables, tolerance = tolerance](const Json& one, const torch::Tensor& expected) {
      const double error = worst_step_error(trajectory(one), expected);
      EXPECT_LE(error, tolerance);
      worst[tables] = std::max(worst[tables], error);
    });
    std::printf("%s, tables in %s: worst step %.2g\n", GetParam().c_str(), tables, worst[tables]);
  }
}

TEST_P(Trajectories, DifferWithATimestepOffByOne) {
  for_each_case("float32", [](const Json& one, const torch::Tensor& expected) {
    EXPECT_GT(worst_step_error(trajectory(one, 1), expected), 10 * kFloat32TablesTolerance);
    EXPECT_GT(worst_step_error(trajectory(one, -1), expected), 10 * kFloat32TablesTolerance);
  });
}

INSTANTIATE_TEST_SUITE_P(Samplers, Trajectories, testing::Values("ddim", "ddpm"),
                         [](const auto& info) { return info.param; });

TEST(EpsilonPrediction, IsRefusedWhereTheReferenceDividesByZero) {
  int count = 0;
  for (const auto& one : golden().cases) {
    if (!one.contains("refused")) continue;
    EXPECT_THROW(trajectory(one), std::invalid_argument) << describe(one);
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Ddim, StaysFiniteWhereTheReferenceTakesTheRootOfARoundingError) {
  for (const auto& one : golden().cases) {
    if (!one.contains("not_finite")) continue;
    EXPECT_TRUE(trajectory(one).isfinite().all().item<bool>()) << describe(one);
  }
}

TEST(ForwardProcess, IsTheReferencesAddNoiseAndVelocity) {
  const auto x0 = torch::linspace(-2, 2, 128).view(kShape);
  const auto noise = torch::cos(17 * x0);
  for (const auto& one : golden().cases) {
    if (!one.contains("process")) continue;
    const Schedule schedule(ScheduleConfig::from_json(one.at("config")));
    const ForwardProcess process(schedule, torch::kCPU);
    std::vector<torch::Tensor> actual, single;
    for (const auto t : {0, 1, 499, 998, 999}) {
      actual.push_back(process.add_noise(x0, noise, torch::full({2}, t, torch::kInt64)));
      single.push_back(add_noise(x0, noise, schedule.level_at(t)));
    }
    for (const auto t : {0, 1, 499, 998, 999})
      actual.push_back(process.velocity(x0, noise, torch::full({2}, t, torch::kInt64)));
    const auto expected = golden().latents(one, 10);
    EXPECT_LE(worst_step_error(torch::stack(actual), expected), 1e-5) << describe(one);
    EXPECT_LE(worst_step_error(torch::stack(single), expected.slice(0, 0, 5)), 1e-5) << describe(one);
    EXPECT_GT(worst_step_error(add_noise(x0, noise, schedule.level_at(498)).unsqueeze(0), expected.slice(0, 2, 3)),
              1e-4);
  }
}

}  // namespace
}  // namespace sfumato::parity
