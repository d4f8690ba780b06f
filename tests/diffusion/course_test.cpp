#include "diffusion/course.h"

#include <gtest/gtest.h>

#include "diffusion/samplers.h"

namespace sfumato {
namespace {

/// Always the same x0, with the eps that then makes up x.
Denoiser towards_zero() {
  return [](const torch::Tensor& x, const Level& level) {
    return Estimate{.x0 = torch::zeros_like(x), .eps = x / level.sigma, .variance = {}};
  };
}

std::vector<std::size_t> steps_of_evaluations(const std::string& sampler, std::int64_t n) {
  const auto& row = find_sampler(sampler);
  Course course(make_steps(Schedule(), n, row.grid), row.order);
  std::vector<std::size_t> steps;
  for (; course.evaluation() < course.evaluations(); course.advance()) steps.push_back(course.step());
  return steps;
}

// len(scheduler.timesteps) is n for most, 2n - 1 for HeunDiscreteScheduler and KDPM2DiscreteScheduler, n + 1 for
// PNDMScheduler.
TEST(Course, HasAnEvaluationForEachOfDiffusersTimesteps) {
  EXPECT_EQ(steps_of_evaluations("ddim", 3), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(steps_of_evaluations("heun", 4), (std::vector<std::size_t>{0, 0, 1, 1, 2, 2, 3}));
  EXPECT_EQ(steps_of_evaluations("dpm2", 3), (std::vector<std::size_t>{0, 0, 1, 1, 2}));
  EXPECT_EQ(steps_of_evaluations("pndm", 3), (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(Course, IsOverWhenASamplerIs) {
  for (const auto& sampler : samplers()) {
    const auto steps = make_steps(Schedule(), 9, sampler.grid);
    Course course(steps, sampler.order);
    NoiseSource noise({1});
    const auto denoise = counted(towards_zero(), course);
    std::size_t ended = 0;
    const OnStep on_step = [&](int step, int, const torch::Tensor&) {
      if (static_cast<std::size_t>(step) + 1 < steps.size()) {
        EXPECT_EQ(course.step(), static_cast<std::size_t>(step) + 1) << sampler.name;
      }
      return ++ended, true;
    };
    sampler.sample({.denoise = denoise,
                    .x = noise.draw({1, 2, 2}),
                    .steps = steps,
                    .noise = noise,
                    .options = {},
                    .on_step = on_step});
    EXPECT_EQ(course.evaluation(), course.evaluations()) << sampler.name;
    EXPECT_EQ(ended, steps.size()) << sampler.name;
  }
}

/// The sigma / alpha that a sampler asks to have what is known of the latents noised to, each with that which the
/// network is asked at next.
std::vector<std::pair<double, double>> adjustments(const std::string& name, const std::vector<Step>& steps) {
  std::vector<std::pair<double, double>> seen;
  NoiseSource noise({1});
  const Denoiser denoise = [&](const torch::Tensor& x, const Level& level) {
    if (!seen.empty()) seen.back().second = level.ratio();
    return towards_zero()(x, level);
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
    EXPECT_EQ(seen.size(), Course(steps, find_sampler(name).order).evaluations()) << name;
    for (const auto& [noised, asked] : seen) EXPECT_DOUBLE_EQ(noised, asked) << name;
  }
}

// KDPM2DiscreteScheduler.add_noise takes sigmas[step_index], which half way through a step is that of its end.
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
