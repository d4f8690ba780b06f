#include <gtest/gtest.h>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// Denoiser that always returns the same x0, with the matching eps of x.
Denoiser towards_zero() {
  return [](const torch::Tensor& x, const Evaluation& evaluation) {
    return Estimate{.x0 = torch::zeros_like(x), .eps = x / evaluation.level.sigma, .variance = {}};
  };
}

std::size_t evaluations_of(const std::string& sampler, std::int64_t n) {
  const auto& row = find_sampler(sampler);
  return evaluation_count(make_steps(Schedule(), n, row.grid), row.order);
}

// len(scheduler.timesteps) is n for most, 2n - 1 for HeunDiscreteScheduler and KDPM2DiscreteScheduler, n + 1 for
// PNDMScheduler.
TEST(EvaluationCount, IsThatOfDiffusersTimesteps) {
  EXPECT_EQ(evaluations_of("ddim", 3), 3U);
  EXPECT_EQ(evaluations_of("heun", 4), 7U);
  EXPECT_EQ(evaluations_of("dpm2", 3), 5U);
  EXPECT_EQ(evaluations_of("pndm", 3), 4U);
}

TEST(Evaluations, AreNumberedFromFirstToLastBySamplersAndStep) {
  for (const auto& sampler : samplers()) {
    const auto steps = make_steps(Schedule(), 9, sampler.grid);
    NoiseSource noise({1});
    std::size_t evaluations = 0, ended = 0;
    const Denoiser denoise = [&](const torch::Tensor& x, const Evaluation& evaluation) {
      EXPECT_EQ(evaluation.index, evaluations++) << sampler.name;
      EXPECT_EQ(evaluation.step, ended) << sampler.name;
      return towards_zero()(x, evaluation);
    };
    const OnStep on_step = [&](int, int, const torch::Tensor&) { return ++ended, true; };
    sampler.sample({.denoise = denoise,
                    .x = noise.draw({1, 2, 2}),
                    .steps = steps,
                    .noise = noise,
                    .options = {},
                    .on_step = on_step});
    EXPECT_EQ(evaluations, evaluation_count(steps, sampler.order)) << sampler.name;
    EXPECT_EQ(ended, steps.size()) << sampler.name;
  }
}

/// Records each sigma / alpha at which a sampler has the known region noised, with that of the next evaluation.
std::vector<std::pair<double, double>> adjustments(const std::string& name, const std::vector<Step>& steps) {
  std::vector<std::pair<double, double>> seen;
  NoiseSource noise({1});
  const Denoiser denoise = [&](const torch::Tensor& x, const Evaluation& evaluation) {
    if (!seen.empty()) seen.back().second = evaluation.level.ratio();
    return towards_zero()(x, evaluation);
  };
  const AdjustLatents adjust = [&](const torch::Tensor& x, const Level& level) {
    seen.emplace_back(level.ratio(), 0);
    return x;
  };
  find_sampler(name).sample({.denoise = denoise,
                             .x = noise.draw({1, 2, 2}),
                             .steps = steps,
                             .noise = noise,
                             .options = {},
                             .on_step = {},
                             .adjust = adjust});
  return seen;
}

TEST(Adjustments, AreMadeAfterEveryEvaluationAtTheLevelOfTheNext) {
  for (const auto* name : {"ddim", "euler", "heun", "dpm++2s_a"}) {
    const auto steps = make_steps(Schedule(), 4, find_sampler(name).grid);
    const auto seen = adjustments(name, steps);
    EXPECT_EQ(seen.size(), evaluation_count(steps, find_sampler(name).order)) << name;
    for (const auto& [noised, asked] : seen) EXPECT_DOUBLE_EQ(noised, asked) << name;
  }
}

// KDPM2DiscreteScheduler.add_noise uses sigmas[step_index], which in the middle of a step is that of its end.
TEST(Adjustments, HalfWayAreNoisedAsAtTheStepsEnd) {
  const auto steps = make_steps(Schedule(), 3, StepGrid::kdpm2);
  const auto seen = adjustments("dpm2", steps);
  ASSERT_EQ(seen.size(), 5U);
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    EXPECT_DOUBLE_EQ(seen[2 * i].first, steps[i].to.ratio());
    EXPECT_DOUBLE_EQ(seen[2 * i].second, steps[i].middle.ratio());
  }
}

}  // namespace
}  // namespace sfumato
