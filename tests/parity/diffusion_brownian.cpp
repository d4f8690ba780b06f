#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/seed_sequence.h"
#include "diffusion/prediction.h"
#include "diffusion/step_noise.h"
#include "parity/diffusion_trajectory.h"

namespace sfumato::parity {
namespace {

/// Float32's latents and network, over 30 steps.
constexpr double kTrajectoryTolerance = 1e-4;

/// With k-diffusion in float32, as the web UI runs it. Its sigmas, and what it makes of them by logarithms and
/// exponentials, are off by some 1e-6, which is what the path is kept to: of an interval of length d the noise then
/// differs by sqrt(1e-6 / d), from 1e-3 at the start to 1e-2 at the end of 30 steps, where there is least of it. The
/// toy network enlarges that a few times: k-diffusion's own float64 and float32 are up to 3e-2 apart.
constexpr double kFloat32Tolerance = 5e-2;

/// diffusion_brownian.py's cases that have `key`, each with the number of latents that `count` gives.
template <class Check>
void for_each_brownian(const std::string& key, Check check) {
  static const Golden golden = Golden::load();
  int count = 0;
  for (const auto& one : golden.cases) {
    if (!one.contains("brownian") || !one.at("brownian").contains(key)) continue;
    const auto& shown = one.at("brownian");
    SCOPED_TRACE(shown.dump().substr(0, 300));
    const std::int64_t latents = shown.contains("noise_between") ? static_cast<std::int64_t>(shown.at(key).size())
                                 : shown.contains("steps")
                                     ? shown.at("steps").get<int>() - shown.at("skipped").get<int>()
                                     : 0;
    check(shown, golden.latents(one, latents));
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(SeedSequence, HasNumpysStates) {
  for_each_brownian("seed_sequences", [](const Json& one, const torch::Tensor&) {
    EXPECT_GT(one.at("seed_sequences").size(), 200);
    for (const auto& given : one.at("seed_sequences")) {
      const SeedSequence sequence{.entropy = given.at("entropy"),
                                  .spawn_key = given.at("spawn_key").get<std::vector<std::uint64_t>>(),
                                  .pool_size = given.at("pool_size")};
      const auto expected = given.at("state").get<std::vector<std::uint32_t>>();
      EXPECT_EQ(sequence.generate_state(expected.size()), expected) << given.dump();
    }
  });
}

/// What is off about a case.
struct NoiseError {
  std::uint64_t seed = 0;
  double least = 0, largest = 0, point = 0;
};

/// Our noise of a case, [pairs, 2, 4, 4, 4].
torch::Tensor noise_of(const Json& one, NoiseError error = {}) {
  auto seeds = one.at("seeds").get<std::vector<std::uint64_t>>();
  for (auto& seed : seeds) seed += error.seed;
  NoiseSource source(seeds);
  const RatioSpan span{one.at("span").at(0).get<double>() + error.least,
                       one.at("span").at(1).get<double>() + error.largest};
  const Denoiser none;
  const std::vector<Step> steps;
  const SampleArgs args{.denoise = none,
                        .x = torch::zeros(kShape),
                        .steps = steps,
                        .noise = source,
                        .options = {.brownian = span},
                        .on_step = {}};
  StepNoise noise(args);
  std::vector<torch::Tensor> drawn;
  for (const auto& pair : one.at("noise_between")) {
    const auto above = pair.at(0).get<double>(), below = pair.at(1).get<double>();
    const double moved = above - below > 1e-5 ? below + error.point : below;
    drawn.push_back(noise.between({.sigma = above}, {.sigma = moved}));
  }
  return torch::stack(drawn);
}

double largest_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  return (actual - expected).abs().max().item<double>();
}

TEST(BrownianNoise, IsTorchsdesToTheLastBit) {
  for_each_brownian("noise_between", [](const Json& one, const torch::Tensor& expected) {
    EXPECT_TRUE(torch::equal(noise_of(one), expected)) << largest_error(noise_of(one), expected);
  });
}

TEST(BrownianNoise, DiffersWithTheNextSeedAndWithPointsThatAreOffByTwoMillionths) {
  for_each_brownian("noise_between", [](const Json& one, const torch::Tensor& expected) {
    EXPECT_GT(largest_error(noise_of(one, {.seed = 1}), expected), 0.5);
    // What W gains in 2e-6 to what it gains in the longest of the intervals.
    EXPECT_GT(largest_error(noise_of(one, {.point = 2e-6}), expected), std::sqrt(2e-6 / 2500));
    // Where the path ends decides where it is halved.
    EXPECT_GT(largest_error(noise_of(one, {.least = -1e-4}), expected), std::sqrt(2e-6 / 2500));
    EXPECT_GT(largest_error(noise_of(one, {.largest = 1e-4}), expected), std::sqrt(2e-6 / 2500));
  });
}

/// What is off about a trajectory.
struct TrajectoryError {
  double t = 0;
  bool span_of_rest = false;  // the path is over the steps that are made alone
  bool generator = false;
};

/// Our latents after each step from number `skipped` on.
torch::Tensor brownian_trajectory(const Json& one, TrajectoryError error = {}) {
  const auto schedule = schedule_of(one);
  const auto sampler = sampler_of(one);
  const auto all = make_steps(schedule, one.at("steps").get<std::int64_t>(), sampler.grid);
  const std::vector<Step> steps(all.begin() + one.at("skipped").get<int>(), all.end());
  const auto denoise = make_denoiser(toy_network("", error.t), {}, Prediction::of(schedule.config()));
  NoiseSource noise({5, 6});
  SamplerOptions options;
  if (!error.generator) options.brownian = ratio_span(error.span_of_rest ? steps : all);
  std::vector<torch::Tensor> latents;
  const auto initial = noise.draw(at::IntArrayRef(kShape).slice(1));
  sampler.sample({.denoise = denoise,
                  .x = initial * steps.front().from.sigma,
                  .steps = steps,
                  .noise = noise,
                  .options = options,
                  .on_step = [&](int step, int, const torch::Tensor& x) {
                    latents.push_back(x / steps[step].to.alpha);
                    return true;
                  }});
  return torch::stack(latents);
}

TEST(BrownianTrajectories, AreKDiffusionsAfterEveryStep) {
  double worst = 0, worst_in_float32 = 0;
  for_each_brownian("steps", [&](const Json& one, const torch::Tensor& expected) {
    const bool exact = one.at("precision") == "float64";
    const double error = worst_step_error(brownian_trajectory(one), expected);
    EXPECT_LE(error, exact ? kTrajectoryTolerance : kFloat32Tolerance);
    (exact ? worst : worst_in_float32) = std::max(exact ? worst : worst_in_float32, error);
  });
  std::printf("worst step %.2g, with the reference in float32 %.2g\n", worst, worst_in_float32);
}

TEST(BrownianTrajectories, DifferWithATimestepOffByOneOtherNoiseAndAShorterPath) {
  for_each_brownian("steps", [](const Json& one, const torch::Tensor& expected) {
    EXPECT_GT(worst_step_error(brownian_trajectory(one, {.t = 1}), expected), kFloat32Tolerance);
    EXPECT_GT(worst_step_error(brownian_trajectory(one, {.t = -1}), expected), kFloat32Tolerance);
    EXPECT_GT(worst_step_error(brownian_trajectory(one, {.generator = true}), expected), kFloat32Tolerance);
    if (one.at("skipped") == 0) return;
    EXPECT_GT(worst_step_error(brownian_trajectory(one, {.span_of_rest = true}), expected), kFloat32Tolerance);
  });
}

}  // namespace
}  // namespace sfumato::parity
