#include "core/cuda_noise.h"

#include <ATen/core/PhiloxRNGEngine.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "core/random.h"

namespace sfumato {
namespace {

// Float32 functions of a float32 argument: a few units in the last place of numbers up to 3.
constexpr double kRounding = 2e-6;

// Documented for the NV noise source of AUTOMATIC1111's web UI, and drawn by a GPU: seed 0, a shape of 3 x 4.
TEST(CudaNoise, HasTheDocumentedNumbers) {
  const auto expected =
      torch::tensor({-0.92466259F, -0.42534415F, -2.6438457F, 0.14518388F, -0.12086647F, -0.57972564F, -0.62285122F,
                     -0.32838709F, -1.07454231F, -0.36314407F, -1.67105067F, 2.26550497F});
  EXPECT_LT((CudaNoise(0).draw({3, 4}).flatten() - expected).abs().max().item<double>(), kRounding);
}

using Block = std::array<std::uint32_t, 4>;

/// Runs the noise's engine at a counter and a key.
Block philox(std::uint64_t seed, std::uint64_t subsequence, std::uint64_t offset) {
  at::Philox4_32 engine(seed, subsequence, offset);
  return {engine(), engine(), engine(), engine()};
}

// Random123's known answers (kat_vectors, philox4x32 with 10 rounds). The counter's halves are offset and subsequence.
TEST(CudaNoise, ItsEngineGivesTheKnownAnswersOfPhilox) {
  EXPECT_EQ(philox(0, 0, 0), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CudaNoise, TheSecondDrawGoesOnWithEveryElementsSubsequence) {
  CudaNoise noise(5);
  const auto first = noise.draw({6});
  const auto second = noise.draw({2, 6});
  // sin(2 pi v) sqrt(-2 ln u), with u and v from the second block of element 7's subsequence.
  const auto block = philox(5, 7, 1);
  const double u = (block[0] + 0.5) / 0x1p32, v = (block[1] + 0.5) / 0x1p32;
  EXPECT_NEAR(second[1][1].item<double>(), std::sqrt(-2 * std::log(u)) * std::sin(2 * M_PI * v), kRounding);
  EXPECT_FALSE(torch::equal(first, second[0]));
}

TEST(CudaNoise, IsStandardNormal) {
  const auto noise = CudaNoise(3).draw({100000});
  // Five standard deviations of the mean and of the variance of that many numbers.
  EXPECT_LT(std::abs(noise.mean().item<double>()), 5 / std::sqrt(100000));
  EXPECT_LT(std::abs(noise.var().item<double>() - 1), 5 * std::sqrt(2.0 / 100000));
}

TEST(NoiseSource, DrawsAsCudaDoesOnRequest) {
  NoiseSource source({0, 9}, parse_rng("cuda"));
  CudaNoise alone(9);
  for (int draw = 0; draw < 2; ++draw) EXPECT_TRUE(torch::equal(source.draw({4, 2})[1], alone.draw({4, 2})));
  EXPECT_FALSE(torch::equal(NoiseSource({0}).draw({8}), NoiseSource({0}, Rng::cuda).draw({8})));
  EXPECT_THROW(parse_rng("mps"), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
