#include "systems/unconditional/chain.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "systems/unconditional/small_model.h"

namespace sfumato {
namespace {

torch::Tensor sampled(const Unconditional& model, const ChainOptions& options,
                      const std::vector<std::uint64_t>& seeds) {
  const auto chain = make_chain(model, options);
  NoiseSource noise(seeds);
  const auto x = noise.draw(model.shape()) * chain.noise_scale;
  return run_chain(model, chain, {.x = x, .labels = {}, .noise = noise});
}

void expect_refused(const Unconditional& model, const ChainOptions& options, const std::string& word) {
  try {
    make_chain(model, options);
    FAIL() << word;
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(Chain, TakesAllTimestepsWithDdpmAndFiftyWithDdim) {
  const auto model = small_unconditional({.schedule = ddpm_schedule()});
  EXPECT_EQ(make_chain(model, {}).sampler.name, "ddpm");
  EXPECT_EQ(make_chain(model, {}).steps.size(), 1000U);
  EXPECT_EQ(make_chain(model, {.sampler = "ddim"}).steps.size(), 50U);
}

TEST(Chain, OfADdimPipelineIsDdimWhateverItsScheduler) {
  const auto model = small_unconditional({.pipeline_class = "DDIMPipeline", .schedule = ddpm_schedule()});
  EXPECT_EQ(make_chain(model, {}).sampler.name, "ddim");
}

TEST(Chain, RefusesWhatDoesNotFit) {
  const auto model = small_unconditional({.schedule = ddpm_schedule()});
  expect_refused(model, {.sampler = "lcm"}, "'lcm'");
  expect_refused(model, {.sampler = "dpm"}, "expected ddim, ddpm");
  expect_refused(model, {.steps = -1}, "steps is '-1'");
  expect_refused(model, {.steps = 1001}, "1001");
  expect_refused(model, {.eta = 0.5}, "eta is '0.5'");
  expect_refused(model, {.sampler = "ddim", .eta = 1.5}, "0 to 1");
  expect_refused(model, {.skip_type = "cubic"}, "'cubic'");
  expect_refused(model, {.sampler = "euler", .skip_type = "quadratic"}, "euler");
  expect_refused(model, {.sampler = "euler", .respacing = "10"}, "euler");
  expect_refused(model, {.steps = 5, .respacing = "10"}, "respacing");
  expect_refused(model, {.skip_type = "quadratic", .respacing = "10"}, "quadratic");
  expect_refused(model, {.respacing = "10,x"}, "10,x");
  expect_refused(model, {.variance = "learned_range"}, "learned_range");
  expect_refused(model, {.variance = "huge"}, "huge");
  expect_refused(model, {.sampler = "ddim", .variance = "fixed_large"}, "fixed_large");
}

TEST(Chain, RefusesRespacingThatStartsWithoutSignalUnlessX0IsClipped) {
  auto schedule = ddpm_schedule();
  schedule.beta_schedule = "squaredcos_cap_v2";
  schedule.clip_sample = false;
  const auto unclipped = small_unconditional({.schedule = schedule});
  expect_refused(unclipped, {.respacing = "10"}, "respacing is '10', expected a selection without timestep 999");
  EXPECT_EQ(make_chain(unclipped, {.steps = 10}).steps.size(), 10U);  // from timestep 900
  EXPECT_EQ(make_chain(unclipped, {.sampler = "ddim", .respacing = "ddim10"}).steps.size(), 10U);
  schedule.clip_sample = true;
  EXPECT_EQ(make_chain(small_unconditional({.schedule = schedule}), {.respacing = "10"}).steps.size(), 10U);
}

TEST(Chain, RunsWithEverySamplerThatItNames) {
  const auto model = small_unconditional();
  for (const auto& row : samplers()) {
    if (row.name == "lcm" || row.name == "tcd") continue;
    EXPECT_TRUE(sampled(model, {.sampler = row.name, .steps = 6}, {1}).isfinite().all().item<bool>()) << row.name;
  }
}

TEST(Chain, GivesASeedItsImageInAnyBatch) {
  const auto model = small_unconditional({.schedule = ddpm_schedule()});
  const ChainOptions options{.respacing = "5,3"};
  const auto together = sampled(model, options, {7, 8, 9});
  // Kernels depend on the batch size: float32 rounding over a network.
  EXPECT_LE((sampled(model, options, {8}) - together.slice(0, 1, 2)).abs().max().item<double>(), 1e-5);
}

TEST(Chain, TakesTheVarianceThatANetworkLearned) {
  auto config = ddpm_schedule();
  config.variance_type = "learned_range";
  const auto model = small_unconditional({.schedule = config, .learned_variance = true});
  const auto learned = sampled(model, {.steps = 10}, {1});
  EXPECT_FALSE(learned.equal(sampled(model, {.steps = 10, .variance = "fixed_small"}, {1})));
}

TEST(Chain, InvertsDdimToItsNoise) {
  ScheduleConfig config;
  config.clip_sample = false;  // clipped values cannot be recovered
  config.beta_end = 0.002;     // to sigma / alpha = 1.4: an untrained network's errors would grow with it
  const auto model = small_unconditional({.schedule = config});
  // The error of the inversion is of first order in its steps: a fifth of the step gives about a fifth of the error.
  const auto error_of = [&](std::int64_t steps) {
    const auto chain = make_chain(model, {.sampler = "ddim", .steps = steps});
    NoiseSource noise({3});
    const auto x0 = 0.5 * torch::tanh(noise.draw(model.shape()));
    const auto noised = run_chain(model, inverse_chain(chain), {.x = x0, .labels = {}, .noise = noise});
    const auto back = run_chain(model, chain, {.x = noised, .labels = {}, .noise = noise});
    return (back - x0).abs().max().item<double>();
  };
  EXPECT_LT(error_of(100), 0.3 * error_of(20));
}

TEST(Chain, ShowsEveryEvaluation) {
  const auto model = small_unconditional();
  const auto chain = make_chain(model, {.sampler = "ddim", .steps = 4});
  NoiseSource noise({3});
  std::vector<double> seen;
  run_chain(model, chain, {.x = noise.draw(model.shape()), .labels = {}, .noise = noise},
            {.on_step = {},
             .on_evaluation = [&](const torch::Tensor&, const Evaluation& evaluation, const Estimate& estimate) {
               seen.push_back(evaluation.level.t);
               EXPECT_TRUE(estimate.x0.defined());
             }});
  EXPECT_EQ(seen, (std::vector<double>{750, 500, 250, 0}));
}

TEST(Chain, EndsWhereItIsStopped) {
  const auto model = small_unconditional();
  const auto chain = make_chain(model, {.sampler = "ddim", .steps = 4});
  NoiseSource noise({3});
  const auto x = run_chain(model, chain, {.x = noise.draw(model.shape()), .labels = {}, .noise = noise},
                           {.on_step = [](int step, int, const torch::Tensor&) { return step < 1; }});
  EXPECT_FALSE(x.defined());
}

}  // namespace
}  // namespace sfumato
