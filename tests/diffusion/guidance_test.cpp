#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "diffusion/samplers.h"

namespace sfumato {
namespace {

const Level kMiddle{.t = 300, .alpha = 0.8, .sigma = 0.6};

torch::Tensor picture(std::uint64_t seed) {
  return torch::randn({2, 3, 4, 4}, seeded_generator(seed));
}

/// Of two pictures: 10 with the negative prompt, 20 with the prompt, 26 with that perturbed. Notes the rows asked for.
Network three_kinds(std::int64_t& rows) {
  return [&rows](const torch::Tensor& x, const Level&) {
    rows = x.size(0);
    return torch::cat(
               {torch::full({2, 3, 4, 4}, 10.0), torch::full({2, 3, 4, 4}, 20.0), torch::full({2, 3, 4, 4}, 26.0)})
        .narrow(0, 0, rows);
  };
}

// Ahn et al. 2024 with classifier-free guidance: negative + s (prompt - negative) + p (prompt - perturbed).
TEST(PerturbedAttention, AddsItsTermToTheOtherGuidance) {
  std::int64_t rows = 0;
  const auto network = perturbed_attention_guidance(three_kinds(rows), {.scale = 0.5}, 2);
  const auto guided = classifier_free_guidance(network, {.scale = 3})(picture(1), kMiddle);
  EXPECT_TRUE(torch::allclose(guided, torch::full_like(guided, 10 + 3 * 10 + 0.5 * (20 - 26))));
  EXPECT_EQ(rows, 6);
}

TEST(PerturbedAttention, RunsWithoutThePerturbedPassWhereItsScaleHasComeToZero) {
  std::int64_t rows = 0;
  const auto network = perturbed_attention_guidance(three_kinds(rows), {.scale = 3, .adaptive_scale = 0.005}, 2);
  const auto x = torch::cat({picture(1), picture(1)});
  network(x, {.t = 400, .alpha = 0.8, .sigma = 0.6});
  EXPECT_EQ(rows, 4);
  const auto moved = network(x, {.t = 500, .alpha = 0.8, .sigma = 0.6});
  EXPECT_EQ(rows, 6);
  // 3 - 0.005 * 500 = 0.5, of all rows alike.
  EXPECT_TRUE(torch::allclose(moved.narrow(0, 0, 2), torch::full({2, 3, 4, 4}, 10 - 0.5 * 6)));
  EXPECT_TRUE(torch::allclose(moved.narrow(0, 2, 2), torch::full({2, 3, 4, 4}, 20 - 0.5 * 6)));
}

TEST(PerturbedAttention, LeavesALearnedVarianceAsItIs) {
  const Network network = [](const torch::Tensor& x, const Level&) {
    return torch::arange(x.size(0), torch::kFloat32).view({-1, 1, 1, 1}).expand({-1, 6, 4, 4});
  };
  const auto raw = perturbed_attention_guidance(network, {.scale = 2}, 2)(picture(1), kMiddle);
  EXPECT_EQ(raw[1][0][0][0].item<float>(), 1 + 2 * (1 - 3));
  EXPECT_EQ(raw[1][5][0][0].item<float>(), 1);
}

/// x0 alone, of this value.
Denoiser constant(float value) {
  return [value](const torch::Tensor& x, const Level&) {
    return Estimate{.x0 = torch::full_like(x, value), .eps = torch::zeros_like(x), .variance = {}};
  };
}

/// The evaluations of `sampler` in `n` steps in which guided_within guides.
std::vector<int> guided_evaluations(const std::string& sampler, std::int64_t n, double start, double end) {
  const auto& row = find_sampler(sampler);
  Course course(make_steps(Schedule(), n, row.grid), row.order);
  const auto denoise = guided_within(constant(1), constant(0), course, start, end);
  std::vector<int> guided;
  for (; course.evaluation() < course.evaluations(); course.advance())
    if (denoise(torch::zeros({1, 1, 1, 1}), kMiddle).x0.item<float>() == 1)
      guided.push_back(static_cast<int>(course.evaluation()));
  return guided;
}

TEST(GuidedWithin, TakesTheStepsFromStartToEndRoundedDown) {
  EXPECT_EQ(guided_evaluations("ddim", 5, 0, 1), (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.2, 0.8), (std::vector{1, 2, 3}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.39, 0.79), (std::vector{1, 2}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.5, 0.5), std::vector<int>());
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.8, 0.2), std::vector<int>());
  EXPECT_EQ(guided_evaluations("ddim", 5, 0, 0), std::vector<int>());
}

TEST(GuidedWithin, CountsBothEvaluationsOfAStep) {
  EXPECT_EQ(guided_evaluations("heun", 5, 0, 1), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(guided_evaluations("heun", 5, 0.25, 0.8), (std::vector{2, 3, 4, 5, 6}));  // 2.25 and 7.2 of 9
}

/// eps is 1 with the negative prompt and 3 with the prompt.
torch::Tensor one_and_three(const torch::Tensor& x, const Level&) {
  return torch::cat({torch::full({2, 3, 4, 4}, 1.0), torch::full({2, 3, 4, 4}, 3.0)});
}

// Chung et al. 2024, algorithm 2.
TEST(CfgPlusPlus, GuidesX0AndLeavesTheNegativePromptsNoise) {
  const auto x = picture(1);
  const auto found = cfg_plus_plus(one_and_three, {.scale = 0.25}, {})(x, kMiddle);
  EXPECT_TRUE(torch::allclose(found.x0, (x - 0.6 * (1 + 0.25 * 2)) / 0.8));
  EXPECT_TRUE(torch::equal(found.eps, torch::ones_like(x)));
}

// As k-diffusion's samplers for it have it, in x / alpha: denoised + sigma_next * (x - uncond_denoised) / sigma.
TEST(CfgPlusPlus, MakesOfEulersStepTheOneOfKDiffusion) {
  const Level to{.t = 100, .alpha = 0.96, .sigma = 0.28};
  const std::vector<Step> steps = {{kMiddle, to}};
  NoiseSource noise({1, 2});
  const auto denoise = cfg_plus_plus(one_and_three, {.scale = 0.25}, {});
  const auto x = picture(2);
  const auto after =
      sample_euler({.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = {}, .on_step = {}});
  const auto scaled = x / 0.8;
  const double sigma = 0.6 / 0.8, next = 0.28 / 0.96;
  const auto denoised = scaled - sigma * 1.5, without_prompt = scaled - sigma * 1.0;
  EXPECT_TRUE(torch::allclose(after / 0.96, denoised + next * (scaled - without_prompt) / sigma, 1e-5, 1e-6));
}

TEST(CfgPlusPlus, ThresholdsX0) {
  const Prediction prediction{.type = PredictionType::epsilon, .threshold = {.clip = 0.5}};
  const auto found = cfg_plus_plus(one_and_three, {.scale = 1}, prediction)(picture(1), kMiddle);
  EXPECT_LE(found.x0.abs().max().item<float>(), 0.5);
}

}  // namespace
}  // namespace sfumato
