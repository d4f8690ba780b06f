#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "diffusion/process.h"
#include "parity/diffusion_trajectory.h"

namespace sfumato::parity {
namespace {

/// With the reference's own tables. It computes 1 - alphas_cumprod in float32, which at timestep 0 of the cosine
/// schedule, where it is 4e-5, costs sigma 7e-4 of itself for each unit in the last place; sample-prediction divides by
/// it. How many units depends on the processor's cos and pow: up to 1.2e-3 was seen.
constexpr double kFloat32TablesTolerance = 2e-3;

/// With its tables in float64 only the rounding of the latents remains, and what the reference keeps in float32 anyway:
/// sigma, up to 2e4 on the cosine schedule, and x0 + sigma eps, of which what is nearly equal is subtracted, by the
/// ancestral ones twice (sigma_down); the timestep of a middle, by which 1e-6 of sigma moves it 1e-4; exponentials of
/// differences of log(sigma) in the weights of the solvers, of which Heun's and the third order's are again differences
/// of what is nearly equal; x of PNDM, and of SA-Solver by eps, which grows 150 times with alpha where the betas are
/// linear.
double trajectory_tolerance(const Json& one) {
  const auto sampler = one.at("sampler").get<std::string>();
  const bool log_linear = one.at("config").value("interpolation_type", "") == "log_linear";
  if (one.contains("schedule") || log_linear) return 3e-4;  // the timesteps too come from sigma in float32
  // Timesteps between integers are rounded to float32, by 3e-5 near 1000, though not in the reference's tables here.
  const auto name = one.at("config").at("_class_name").get<std::string>();
  if (name == "FlowMatchEulerDiscreteScheduler") return 5e-5;
  if (name.starts_with("EDM")) return 1e-5;  // levels are closed forms
  static const std::map<std::string, double> rounded = {
      {"euler_a", 5e-4},   {"dpm2_a", 1e-3},      {"dpm2", 2e-4},    {"dpm++sde", 2e-4},
      {"lms", 1e-4},       {"restart", 1e-4},     {"deis", 2e-4},    {"heun", 5e-5},
      {"dpm++2m", 5e-5},   {"dpm++2m_sde", 2e-4}, {"dpm++3m", 5e-5}, {"dpm++3m_sde", 5e-5},
      {"dpm++2s_a", 5e-5}, {"unipc", 5e-5},       {"pndm", 5e-5},    {"sa_solver", 3e-4}};
  const auto found = rounded.find(sampler);
  return found == rounded.end() ? 1e-5 : found->second;
}

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
      check(one, golden().latents(one, one.value("count", static_cast<std::int64_t>(one.at("timesteps").size()))));
      ++count;
    }
    EXPECT_GT(count, 20);
  }
};

TEST_P(Trajectories, HaveTheReferencesTimesteps) {
  for_each_case("float64", [](const Json& one, const torch::Tensor&) {
    const auto schedule = schedule_of(one);
    auto expected = one.at("timesteps").get<std::vector<double>>();
    if (GetParam() == "restart") return;  // some of its steps are not the scheduler's
    if (GetParam() == "ddim_inverse") std::reverse(expected.begin(), expected.end());
    // Float32's spacing near 999: timesteps between integers are kept in it; or what its rounding of sigma moves them.
    const double rounding = one.contains("schedule") ? 2.5e-4 : 6.2e-5;
    const auto steps = steps_of(one, schedule);
    ASSERT_EQ(steps.size(), expected.size());
    for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_NEAR(steps[i].from.t, expected[i], rounding) << "step " << i;
  });
}

TEST_P(Trajectories, AreTheReferencesAfterEveryStep) {
  for (const std::string tables : {"float32", "float64"}) {
    double worst = 0;
    for_each_case(tables, [&](const Json& one, const torch::Tensor& expected) {
      const double error = worst_step_error(trajectory(one), expected);
      EXPECT_LE(error, tables == "float32" ? kFloat32TablesTolerance : trajectory_tolerance(one));
      worst = std::max(worst, error);
    });
    std::printf("%s, tables in %s: worst step %.2g\n", GetParam().c_str(), tables.c_str(), worst);
  }
}

TEST_P(Trajectories, DifferWithATimestepOffByOne) {
  for_each_case("float64", [](const Json& one, const torch::Tensor& expected) {
    // From EDM's last level the network's share of x0 is 0.002.
    if (one.at("steps") == 1 && one.at("config").value("sigma_schedule", "") == "exponential") return;
    EXPECT_GT(worst_step_error(trajectory(one, 1), expected), 4 * trajectory_tolerance(one));
    EXPECT_GT(worst_step_error(trajectory(one, -1), expected), 4 * trajectory_tolerance(one));
  });
}

INSTANTIATE_TEST_SUITE_P(Samplers, Trajectories,
                         testing::Values("ddim", "ddim_inverse", "ddpm", "euler", "euler_a", "dpm++2m", "dpm++2m_sde",
                                         "dpm++3m", "dpm++3m_sde", "dpm++2s_a", "dpm++sde", "heun", "restart", "lms",
                                         "dpm2", "dpm2_a", "pndm", "unipc", "deis", "lcm", "tcd", "sa_solver", "ipndm"),
                         [](const auto& info) {
                           auto name = info.param;
                           std::replace(name.begin(), name.end(), '+', 'p');
                           return name;
                         });

TEST(MultistepStart, OfTheReferenceIsNotTheFreshOne) {
  int count = 0;
  for (auto one : golden().cases) {
    if (!one.contains("multistep_start") || one.at("tables") != "float64") continue;
    SCOPED_TRACE(describe(one));
    const auto expected = golden().latents(one, static_cast<std::int64_t>(one.at("timesteps").size()));
    one.erase("multistep_start");
    EXPECT_GT(worst_step_error(trajectory(one), expected), 4 * trajectory_tolerance(one));
    ++count;
  }
  EXPECT_GT(count, 20);
}

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
  // Of the same float32 tables: what a few units in the last place of alphas_cumprod cost alpha and sigma.
  constexpr double kTables = 5e-5;
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
    EXPECT_LE(worst_step_error(torch::stack(actual), expected), kTables) << describe(one);
    EXPECT_LE(worst_step_error(torch::stack(single), expected.slice(0, 0, 5)), kTables) << describe(one);
    EXPECT_GT(worst_step_error(add_noise(x0, noise, schedule.level_at(498)).unsqueeze(0), expected.slice(0, 2, 3)),
              10 * kTables);
  }
}

}  // namespace
}  // namespace sfumato::parity
