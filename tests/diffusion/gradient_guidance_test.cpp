#include "diffusion/gradient_guidance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/schedule.h"

namespace sfumato {
namespace {

Schedule cosine_schedule() {
  ScheduleConfig config;
  config.beta_schedule = "squaredcos_cap_v2";
  return Schedule(config);
}

/// A network that predicts fixed values, with a learned variance.
struct GradientFixture {
  Schedule schedule = cosine_schedule();
  torch::Tensor x = torch::randn({2, 3, 4, 4}, seeded_generator(1));
  torch::Tensor x0 = torch::randn({2, 3, 4, 4}, seeded_generator(2));
  torch::Tensor variance = torch::rand({2, 3, 4, 4}, seeded_generator(3)) * 2 - 1;

  Denoiser denoiser() const {
    return [this](const torch::Tensor& at, const Evaluation& evaluation) {
      const auto& level = evaluation.level;
      return Estimate{.x0 = x0, .eps = (at - level.alpha * x0) / level.sigma, .variance = variance};
    };
  }
  torch::Tensor sampled(const Denoiser& denoise, const std::vector<Step>& steps, const char* sampler) const {
    NoiseSource noise({5, 6});
    const SamplerOptions options{.variance_type = "learned_range"};
    return find_sampler(sampler).sample(
        {.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = options, .on_step = {}});
  }
};

/// sum sin(x) for each row: its gradient is cos(x).
torch::Tensor sine(const torch::Tensor& x, const torch::Tensor& x0, const Evaluation& evaluation) {
  return x.sin().flatten(1).sum(1);
}

double largest_shift(const torch::Tensor& values) {
  return values.abs().max().item<double>();
}

// The mean moves by s Sigma gradient (Nichol et al. 2021, eq. 4), with Sigma from the formula of Nichol & Dhariwal
// 2021.
TEST(GradientGuidance, MovesTheAncestralMeanByEquation4) {
  const GradientFixture fixture;
  const auto noisy = fixture.schedule.level_at(700), clean = fixture.schedule.level_at(650);
  const std::vector<Step> steps = {{noisy, clean}};
  const double scale = 3;
  const auto guided =
      guided_by_gradient(fixture.denoiser(), {.value = sine, .scale = scale, .steps = steps, .learned_variance = true});
  const auto moved = fixture.sampled(guided, steps, "ddpm") - fixture.sampled(fixture.denoiser(), steps, "ddpm");
  const double kept = noisy.alpha * noisy.alpha / (clean.alpha * clean.alpha), beta = 1 - kept;
  const double posterior = beta * clean.sigma * clean.sigma / (noisy.sigma * noisy.sigma);
  const auto part = (fixture.variance + 1) / 2;
  const auto sigma = torch::exp(part * std::log(beta) + (1 - part) * std::log(posterior));
  EXPECT_LT(largest_shift(moved - scale * sigma * fixture.x.cos()), 1e-5);
}

TEST(GradientGuidance, WithoutALearnedVarianceSigmaIsBeta) {
  const GradientFixture fixture;
  const auto noisy = fixture.schedule.level_at(999), clean = fixture.schedule.level_at(989);  // where alpha is about 0
  const std::vector<Step> steps = {{noisy, clean}};
  const auto guided = guided_by_gradient(fixture.denoiser(), {.value = sine, .scale = 2, .steps = steps});
  const auto moved = fixture.sampled(guided, steps, "ddpm") - fixture.sampled(fixture.denoiser(), steps, "ddpm");
  const double beta = 1 - std::pow(noisy.alpha / clean.alpha, 2);
  EXPECT_LT(largest_shift(moved - 2 * beta * fixture.x.cos()), 1e-5);
}

// Dhariwal & Nichol 2021, algorithm 2: eps - s sigma gradient, up to the step's length.
TEST(GradientGuidance, MovesEpsOfShortSteps) {
  const GradientFixture fixture;
  const auto noisy = fixture.schedule.level_at(500), clean = fixture.schedule.level_at(499);
  const auto guided = guided_by_gradient(fixture.denoiser(), {.value = sine, .scale = 2, .steps = {{noisy, clean}}});
  const Evaluation evaluation{.level = noisy};
  const auto with = guided(fixture.x, evaluation), without = fixture.denoiser()(fixture.x, evaluation);
  const auto expected = -2 * noisy.sigma * fixture.x.cos();
  EXPECT_LT(largest_shift(with.eps - without.eps - expected),
            (clean.alpha / noisy.alpha - 1) * largest_shift(expected) + 1e-5);
  EXPECT_LT(largest_shift(noisy.alpha * with.x0 + noisy.sigma * with.eps - fixture.x), 1e-5);
}

TEST(GradientGuidance, TheGradientThroughX0IsTheFiniteDifference) {
  const GradientFixture fixture;
  const Evaluation evaluation{.level = fixture.schedule.level_at(400)};
  const auto estimate = fixture.denoiser()(fixture.x, evaluation);
  const GuidanceValue value = [](const torch::Tensor& x, const torch::Tensor& x0, const Evaluation&) {
    return (x0.pow(3) + x0.sin()).flatten(1).sum(1);
  };
  const auto gradient = value_gradient(value, fixture.x, estimate, evaluation);
  const auto x = fixture.x.to(torch::kFloat64), eps = estimate.eps.to(torch::kFloat64);
  const auto value_at = [&](const torch::Tensor& at) {
    const auto x0 = (at - evaluation.level.sigma * eps) / evaluation.level.alpha;
    return value(at, x0, evaluation).sum().item<double>();
  };
  const double step = 1e-4;
  for (const std::int64_t index : {0, 17, 95}) {
    auto up = x.clone(), down = x.clone();
    up.view(-1)[index] += step;
    down.view(-1)[index] -= step;
    const double expected = (value_at(up) - value_at(down)) / (2 * step);
    EXPECT_NEAR(gradient.reshape(-1)[index].item<double>(), expected, 1e-4 * std::abs(expected) + 1e-4) << index;
  }
}

TEST(GradientGuidance, ActsWithinItsRangeOfEvaluationsAlone) {
  const GradientFixture fixture;
  const auto noisy = fixture.schedule.level_at(500), clean = fixture.schedule.level_at(499);
  const auto guided =
      guided_by_gradient(fixture.denoiser(), {.value = sine, .steps = {{noisy, clean}}, .range = {2, 4}});
  for (std::size_t index = 0; index < 6; ++index) {
    const bool moved = !torch::equal(guided(fixture.x, {noisy, 0, index}).x0, fixture.x0);
    EXPECT_EQ(moved, index >= 2 && index < 4) << index;
  }
}

TEST(GradientGuidance, WorksWithEverySampler) {
  const GradientFixture fixture;
  for (const auto& sampler : samplers()) {
    if (sampler.name == "lcm" || sampler.name == "tcd") continue;
    const auto steps = make_steps(fixture.schedule, 6, sampler.grid);
    SamplerOptions options{.variance_type = "fixed_small"};
    if (sampler.noise.front() == "brownian") options.brownian = ratio_span(steps);
    const torch::NoGradGuard no_gradients;
    const auto guided = guided_by_gradient(fixture.denoiser(), {.value = sine, .scale = 0.1, .steps = steps});
    NoiseSource noise({5, 6});
    const auto x = sampler.sample(
        {.denoise = guided, .x = fixture.x, .steps = steps, .noise = noise, .options = options, .on_step = {}});
    EXPECT_TRUE(torch::isfinite(x).all().item<bool>()) << sampler.name;
    EXPECT_FALSE(x.requires_grad()) << sampler.name;
  }
}

}  // namespace
}  // namespace sfumato
