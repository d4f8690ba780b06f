#include "systems/stable_diffusion/first_noise.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

/// Returns the first noise of a request with the seeds 3 and 8, with weight `strength` of the second.
torch::Tensor noise_with(double strength, std::int64_t count = 1) {
  Request request;
  request.seed = 3;
  request.subseed = 8;
  request.subseed_strength = strength;
  request.batch_count = count;
  auto noise = noise_of(request);
  return first_noise(request, noise, {4, 6, 5});
}

torch::Tensor drawn(std::uint64_t seed) {
  return NoiseSource({seed}).draw({4, 6, 5});
}

TEST(FirstNoise, AtTheEndsItIsThatOfEitherSeed) {
  EXPECT_TRUE(torch::equal(noise_with(0), drawn(3)));
  EXPECT_TRUE(torch::allclose(noise_with(1), drawn(8), 0, 1e-6));
}

// Vectors of lengths a and b at the angle w have the weights sin((1 - p) w) / sin w and sin(p w) / sin w.
TEST(FirstNoise, EachColumnOfAChannelIsAVectorThatTurns) {
  const auto low = drawn(3).to(torch::kFloat64), high = drawn(8).to(torch::kFloat64);
  const auto mixed = noise_with(0.25);
  for (std::int64_t c = 0; c < 4; ++c) {
    for (std::int64_t x = 0; x < 5; ++x) {
      const auto a = low[0][c].select(1, x), b = high[0][c].select(1, x);
      const auto angle = std::acos(a.dot(b).item<double>() / (a.norm().item<double>() * b.norm().item<double>()));
      const auto expected = (std::sin(0.75 * angle) * a + std::sin(0.25 * angle) * b) / std::sin(angle);
      EXPECT_LT((mixed[0][c].select(1, x) - expected).abs().max().item<double>(), 1e-5);
    }
  }
}

TEST(FirstNoise, OfABatchTheSubseedsCountUpAndNotTheSeeds) {
  EXPECT_TRUE(torch::allclose(noise_with(1, 2)[1], drawn(9)[0], 0, 1e-6));
  EXPECT_TRUE(torch::equal(noise_with(0, 2)[1], drawn(4)[0]));
  Request request;
  request.seed = 3;
  request.subseed = 8;
  EXPECT_EQ(part_of_batch(request, 2, 1).seed, 5);
  request.subseed_strength = 0.5;
  EXPECT_EQ(part_of_batch(request, 2, 1).seed, 3);
  EXPECT_EQ(part_of_batch(request, 2, 1).subseed, 10);
}

TEST(FirstNoise, ParallelNoiseIsMixedLinearly) {
  const auto noise = drawn(3);
  EXPECT_TRUE(torch::allclose(mix_noise(0.25, noise, 2 * noise), 1.75 * noise, 0, 1e-5));
}

}  // namespace
}  // namespace sfumato
