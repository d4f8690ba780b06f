#include "diffusion/guided_denoiser.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "diffusion/samplers.h"

namespace sfumato {
namespace {

const Level kMiddle{.t = 300, .alpha = 0.8, .sigma = 0.6};

/// Returns the condition of two images with this number as their text.
Condition text(double value) {
  return {.encoder_hidden_states = torch::full({2, 1, 1}, value)};
}

torch::Tensor image(std::uint64_t seed) {
  return torch::randn({2, 3, 8, 8}, seeded_generator(seed));
}

/// Network that predicts its text's number, plus 6 with perturbed attention; it records the number of its rows.
struct ToyNetwork {
  std::vector<std::int64_t> rows;

  Backbone backbone() {
    return [this](const torch::Tensor& x, const Evaluation&, const Condition& condition) {
      rows.push_back(x.size(0));
      EXPECT_EQ(condition.rows(), x.size(0));
      auto numbers = condition.encoder_hidden_states.view({-1, 1, 1, 1});
      if (condition.perturbed.defined()) numbers = numbers + 6 * condition.perturbed.view({-1, 1, 1, 1});
      return numbers.expand_as(x).clone();
    };
  }
};

GuidanceConditions prompts(std::vector<double> positives = {20}, std::vector<double> weights = {1}) {
  GuidanceTerms<Condition> terms{.negative = text(10)};
  for (const auto value : positives) terms.positives.push_back(text(value));
  return {.distinct = {terms}, .of_step = std::vector<std::size_t>(10, 0), .weights = std::move(weights)};
}

/// Returns eps of an estimate at x = image(1).
torch::Tensor guided_eps(const GuidanceConditions& conditions, const GuidanceOptions& options, const Level& level,
                         ToyNetwork& network) {
  const GuidedDenoiser denoise({network.backbone()}, conditions, options, {}, 10);
  return denoise(image(1), {level, 0, 0}).eps;
}

void expect_constant(const torch::Tensor& x, double value) {
  EXPECT_TRUE(torch::allclose(x, torch::full_like(x, value))) << x.flatten()[0].item<double>() << " for " << value;
}

TEST(GuidedDenoiser, CombinesBothPromptsInOneBatch) {
  ToyNetwork network;
  expect_constant(guided_eps(prompts(), {.scale = 3}, kMiddle, network), 10 + 3 * 10);
  EXPECT_EQ(network.rows, std::vector<std::int64_t>{4});
}

TEST(GuidedDenoiser, WithoutANegativePromptRunsThePromptAlone) {
  auto conditions = prompts();
  conditions.distinct[0].negative.reset();
  ToyNetwork network;
  expect_constant(guided_eps(conditions, {.scale = 1}, kMiddle, network), 20);
  EXPECT_EQ(network.rows, std::vector<std::int64_t>{2});
}

TEST(GuidedDenoiser, RunsANetworkThatIsNotConditioned) {
  const Backbone alone = [](const torch::Tensor& x, const Evaluation&, const Condition&) { return 2 * x; };
  const GuidedDenoiser denoise({alone}, {.distinct = {{.positives = {{}}}}, .of_step = {0}}, {.scale = 1}, {}, 1);
  EXPECT_TRUE(torch::equal(denoise(image(1), {kMiddle, 0, 0}).eps, 2 * image(1)));
}

TEST(GuidedDenoiser, ComposesPrompts) {
  ToyNetwork network;
  expect_constant(guided_eps(prompts({20, 40}, {0.5, -0.25}), {.scale = 4}, kMiddle, network),
                  10 + 4 * (0.5 * 10 - 0.25 * 30));
  EXPECT_EQ(network.rows, std::vector<std::int64_t>{6});
}

TEST(GuidedDenoiser, TakesTheConditionsOfTheStep) {
  auto conditions = prompts();
  conditions.distinct.push_back({.negative = text(1), .positives = {text(2)}});
  conditions.of_step = {0, 1};
  ToyNetwork network;
  const GuidedDenoiser denoise({network.backbone()}, conditions, {.scale = 3}, {}, 2);
  expect_constant(denoise(image(1), {kMiddle, 0, 0}).eps, 40);
  expect_constant(denoise(image(1), {kMiddle, 1, 1}).eps, 4);
}

// Ahn et al. 2024 with classifier-free guidance: negative + s (prompt - negative) + p (prompt - perturbed).
TEST(GuidedDenoiser, AddsPerturbedAttentionToTheOtherGuidance) {
  ToyNetwork network;
  const auto eps = guided_eps(prompts(), {.scale = 3, .perturbed_attention = {.scale = 0.5}}, kMiddle, network);
  expect_constant(eps, 10 + 3 * 10 + 0.5 * (20 - 26));
  EXPECT_EQ(network.rows, std::vector<std::int64_t>{6});
}

TEST(GuidedDenoiser, LeavesThePerturbedPassOutWhereItsScaleIsZero) {
  const GuidanceOptions options{.scale = 3, .perturbed_attention = {.scale = 3, .adaptive_scale = 0.005}};
  ToyNetwork network;
  expect_constant(guided_eps(prompts(), options, {.t = 400, .alpha = 0.8, .sigma = 0.6}, network), 40);
  expect_constant(guided_eps(prompts(), options, {.t = 500, .alpha = 0.8, .sigma = 0.6}, network), 40 - 0.5 * 6);
  EXPECT_EQ(network.rows, (std::vector<std::int64_t>{4, 6}));
}

TEST(GuidedDenoiser, KeepsTheVarianceOfThePrompt) {
  ToyNetwork network;
  const Backbone learned = [&](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    const auto raw = network.backbone()(x, evaluation, condition);
    return torch::cat({raw, 100 * raw}, 1);
  };
  for (const auto& conditions : {prompts(), prompts({20, 40}, {1, 1})}) {
    const GuidedDenoiser denoise({learned}, conditions, {.scale = 3, .perturbed_attention = {.scale = 2}}, {}, 10);
    expect_constant(denoise(image(1), {kMiddle, 0, 0}).variance, 2000);
  }
}

TEST(GuidedDenoiser, EditsImagesByTextAndImage) {
  auto conditions = prompts();
  conditions.distinct[0].image = text(13);
  ToyNetwork network;
  expect_constant(guided_eps(conditions, {.scale = 5, .image_scale = 1.5}, kMiddle, network), 10 + 1.5 * 3 + 5 * 7);
}

/// Returns the evaluations of `sampler` in n steps in which guidance acts.
std::vector<int> guided_evaluations(const std::string& sampler, std::int64_t n, double start, double end) {
  const auto& row = find_sampler(sampler);
  const auto count = evaluation_count(make_steps(Schedule(), n, row.grid), row.order);
  ToyNetwork network;
  const GuidedDenoiser denoise({network.backbone()}, prompts(), {.scale = 2, .start = start, .end = end}, {}, count);
  std::vector<int> guided;
  for (std::size_t i = 0; i < count; ++i)
    if (denoise(image(1), {kMiddle, 0, i}).eps.max().item<float>() > 20) guided.push_back(static_cast<int>(i));
  return guided;
}

TEST(GuidedDenoiser, ActsFromStartToEndRoundedDown) {
  EXPECT_EQ(guided_evaluations("ddim", 5, 0, 1), (std::vector{0, 1, 2, 3, 4}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.2, 0.8), (std::vector{1, 2, 3}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.39, 0.79), (std::vector{1, 2}));
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.5, 0.5), std::vector<int>());
  EXPECT_EQ(guided_evaluations("ddim", 5, 0.8, 0.2), std::vector<int>());
}

TEST(GuidedDenoiser, CountsBothEvaluationsOfAStep) {
  EXPECT_EQ(guided_evaluations("heun", 5, 0, 1), (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(guided_evaluations("heun", 5, 0.25, 0.8), (std::vector{2, 3, 4, 5, 6}));  // 2.25 and 7.2 of 9
}

// Chung et al. 2024, algorithm 2.
TEST(CfgPlusPlus, GuidesX0AndLeavesTheNegativePromptsNoise) {
  ToyNetwork network;
  const GuidedDenoiser denoise({network.backbone()}, prompts(), {.scale = 0.25, .plus_plus = true}, {}, 10);
  const auto x = image(1);
  const auto found = denoise(x, {kMiddle, 0, 0});
  EXPECT_TRUE(torch::allclose(found.x0, (x - 0.6 * (10 + 0.25 * 10)) / 0.8));
  expect_constant(found.eps, 10);
}

// As in k-diffusion's samplers for it, in x / alpha: denoised + sigma_next * (x - uncond_denoised) / sigma.
TEST(CfgPlusPlus, MakesOfEulersStepTheOneOfKDiffusion) {
  const Level to{.t = 100, .alpha = 0.96, .sigma = 0.28};
  const std::vector<Step> steps = {{kMiddle, to}};
  NoiseSource noise({1, 2});
  ToyNetwork network;
  const Denoiser denoise = GuidedDenoiser({network.backbone()}, prompts(), {.scale = 0.25, .plus_plus = true}, {}, 1);
  const auto x = image(2);
  const auto after =
      sample_euler({.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = {}, .on_step = {}});
  const auto scaled = x / 0.8;
  const double sigma = 0.6 / 0.8, next = 0.28 / 0.96;
  const auto denoised = scaled - sigma * 12.5, without_prompt = scaled - sigma * 10;
  EXPECT_TRUE(torch::allclose(after / 0.96, denoised + next * (scaled - without_prompt) / sigma, 1e-5, 1e-5));
}

TEST(CfgPlusPlus, ThresholdsX0) {
  const Prediction prediction{.type = PredictionType::epsilon, .threshold = {.clip = 0.5}};
  ToyNetwork network;
  const GuidedDenoiser denoise({network.backbone()}, prompts(), {.scale = 1, .plus_plus = true}, prediction, 10);
  EXPECT_LE(denoise(image(1), {kMiddle, 0, 0}).x0.abs().max().item<float>(), 0.5);
}

/// Self-attention guidance of two images with an average attention of `received`, and the x of its second pass.
struct Attending {
  ToyNetwork network;
  torch::Tensor degraded;

  GuidedDenoiser denoiser(double received, double scale) {
    const Backbone backbone = [this](const torch::Tensor& x, const Evaluation&, const Condition&) {
      degraded = x;
      return torch::full_like(x, 3);
    };
    const AttendingBackbone attending = [this, received](const torch::Tensor& x, const Evaluation& evaluation,
                                                         const Condition& condition, std::int64_t rows) {
      return Attended{network.backbone()(x, evaluation, condition), torch::full({rows, 64}, received)};
    };
    return {{backbone, attending}, prompts(), {.scale = 3, .self_attention_scale = scale}, {}, 10};
  }
};

// Hong et al. 2023, eq. 25.
TEST(SelfAttentionGuidance, EvaluatesTheNegativePromptAgainAndMovesAllTermsAlike) {
  Attending attending;
  const auto x = image(1);
  const auto eps = attending.denoiser(0.5, 0.5)(x, {kMiddle, 0, 0}).eps;
  // No position has attention above average: x is unchanged.
  EXPECT_TRUE(torch::allclose(attending.degraded, x, 1e-5, 1e-5));
  expect_constant(eps, 10 + 3 * 10 + 0.5 * (10 - 3));
}

TEST(SelfAttentionGuidance, BlursWhereAttended) {
  Attending attending;
  const auto x = image(1);
  attending.denoiser(2, 0.5)(x, {kMiddle, 0, 0});
  EXPECT_FALSE(torch::allclose(attending.degraded, x, 1e-2, 1e-2));
}

TEST(SelfAttentionGuidance, RefusesLatentsThatAreSmallerThanTheBlur) {
  Attending attending;
  EXPECT_THROW(attending.denoiser(0.5, 0.5)(torch::randn({2, 3, 4, 8}), {kMiddle, 0, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
