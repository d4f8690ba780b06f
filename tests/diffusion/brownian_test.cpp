#include <gtest/gtest.h>

#include <cmath>

#include "core/cuda_noise.h"
#include "core/seed_sequence.h"
#include "diffusion/step_noise.h"

namespace sfumato {
namespace {

/// StepNoise of several images of 90,000 values, along sigma / alpha from 14 down to 0.03.
class PathNoise {
 public:
  explicit PathNoise(std::vector<std::uint64_t> seeds)
      : source_(seeds),
        args_{.denoise = none_,
              .x = torch::zeros({static_cast<std::int64_t>(seeds.size()), 1, 300, 300}),
              .steps = steps_,
              .noise = source_,
              .options = {.brownian = RatioSpan{0.03, 14}},
              .on_step = {}},
        noise_(args_) {}

  torch::Tensor operator()(double from, double to) { return noise_.between({.sigma = from}, {.sigma = to}); }

 private:
  Denoiser none_;
  std::vector<Step> steps_;
  NoiseSource source_;
  SampleArgs args_;
  StepNoise noise_;
};

torch::Tensor gain(PathNoise& noise, double from, double to) {
  return std::sqrt(from - to) * noise(from, to);
}

TEST(BrownianNoise, OfAnIntervalIsThatOfItsParts) {
  PathNoise noise({3});
  const auto whole = gain(noise, 9, 2);
  const auto parts = gain(noise, 9, 5.5) + gain(noise, 5.5, 2.000001) + gain(noise, 2.000001, 2);
  // Some twenty float32 roundings of values up to 16.
  EXPECT_LE((whole - parts).abs().max().item<double>(), 20 * 16 * 0x1p-24);
}

TEST(BrownianNoise, IsStandardNormalAndIndependentFromIntervalToInterval) {
  PathNoise noise({3});
  std::vector<torch::Tensor> drawn;
  const std::vector<double> levels = {14, 8.5, 8.2, 3, 0.04, 0.03};
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) drawn.push_back(noise(levels[i], levels[i + 1]).flatten());
  const auto all = torch::stack(drawn);
  const double sigma = std::sqrt(1.0 / 90000);  // of a mean of as many products
  EXPECT_LE(all.mean(1).abs().max().item<double>(), 5 * sigma);
  const auto covariance = all.matmul(all.t()) / 90000;
  EXPECT_LE((covariance - torch::eye(5)).abs().max().item<double>(), 5 * std::sqrt(2.0) * sigma);
}

TEST(BrownianNoise, DependsNeitherOnTheOrderNorOnWhatElseIsAsked) {
  PathNoise down({3}), up({3});
  const auto first = down(9, 5), second = down(5, 2);
  up(0.5, 0.1);
  up(12, 0.1);
  EXPECT_TRUE(torch::equal(up(5, 2), second));
  EXPECT_TRUE(torch::equal(up(9, 5), first));
}

TEST(BrownianNoise, IsAImagesOwnInAnyBatch) {
  PathNoise batch({3, 4}), alone({4});
  const auto both = batch(9, 5);
  EXPECT_TRUE(torch::equal(both[1], alone(9, 5)[0]));
  EXPECT_FALSE(torch::equal(both[0], both[1]));
}

TEST(BrownianNoise, LeavesTheImagesGeneratorsAsTheyAre) {
  const Denoiser none;
  const std::vector<Step> steps;
  NoiseSource source({3}), same({3});
  const SampleArgs args{.denoise = none,
                        .x = torch::zeros({1, 1, 4, 4}),
                        .steps = steps,
                        .noise = source,
                        .options = {.brownian = RatioSpan{0.03, 14}},
                        .on_step = {}};
  StepNoise(args).between({.sigma = 9}, {.sigma = 5});
  EXPECT_TRUE(torch::equal(source.draw({4}), same.draw({4})));
}

TEST(BrownianTree, EndsAndMiddleAreThoseOfTheirGenerators) {
  const auto seed_at = [](std::vector<std::uint64_t> place) {
    return SeedSequence{.entropy = 7, .spawn_key = std::move(place), .pool_size = 24}.generate_state(1).front();
  };
  BrownianTree tree(1, 5, {2, 8, 8}, 7, Rng::cuda);
  const auto whole = 2 * CudaNoise(seed_at({})).draw({2, 8, 8});
  EXPECT_TRUE(torch::equal(tree.increment(1, 5), whole));
  // A Brownian bridge over a length of 4: half of the whole at its middle, with std 1.
  const auto half = whole / 2 + CudaNoise(seed_at({0, 0})).draw({2, 8, 8});
  EXPECT_TRUE(torch::allclose(tree.increment(1, 3), half, 1e-6, 1e-6));
  // Then a bridge over the second half alone: the interval number 1 at depth 1.
  const auto rest = (whole - half) / 2 + std::sqrt(0.5) * CudaNoise(seed_at({1, 1})).draw({2, 8, 8});
  EXPECT_TRUE(torch::allclose(tree.increment(3, 4), rest, 1e-6, 1e-6));
}

TEST(BrownianTree, TakesAPointOutsideForTheNearerEnd) {
  BrownianTree tree(1, 5, {4, 8, 8}, 7);
  EXPECT_TRUE(torch::equal(tree.increment(0, 2), tree.increment(1, 2)));
  EXPECT_TRUE(torch::equal(tree.increment(2, 5.1), tree.increment(2, 5)));
  EXPECT_TRUE(torch::equal(tree.increment(6, 7), torch::zeros({4, 8, 8})));
}

TEST(BrownianTree, KeepsPointsToAMillionth) {
  BrownianTree tree(1, 5, {4, 8, 8}, 7);
  EXPECT_TRUE(torch::equal(tree.increment(1, 2.0000004), tree.increment(1, 2)));
  EXPECT_FALSE(torch::equal(tree.increment(1, 2.0000006), tree.increment(1, 2)));
  EXPECT_TRUE(torch::equal(tree.increment(2, 2.0000004), torch::zeros({4, 8, 8})));
}

TEST(BrownianTree, NeedsFiniteEndsInTheirOrder) {
  EXPECT_THROW(BrownianTree(1, INFINITY, {4}, 7), c10::Error);
  EXPECT_THROW(BrownianTree(2, 1, {4}, 7), c10::Error);
}

TEST(RatioSpan, IsOfAllLevelsButTheCleanOne) {
  const Schedule schedule;
  const auto steps = make_steps(schedule, 10, StepGrid::interpolated);
  const auto span = ratio_span(steps);
  EXPECT_EQ(span.largest, steps.front().from.ratio());
  EXPECT_EQ(span.least, steps.back().from.ratio());
  EXPECT_EQ(ratio_span({steps.begin(), steps.begin() + 4}).least, steps[3].to.ratio());
}

}  // namespace
}  // namespace sfumato
