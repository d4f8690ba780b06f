#include "nn/embeddings.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(TimestepEmbedding, TimeZeroIsCosineOneAndSineZero) {
  const auto waves = timestep_embedding(torch::zeros({1}), {.num_channels = 6});
  EXPECT_TRUE(torch::equal(waves, torch::tensor({{1.F, 1.F, 1.F, 0.F, 0.F, 0.F}})));
}

TEST(TimestepEmbedding, FrequenciesFallFromOneToOneTenThousandth) {
  // Ho et al. 2020: wavelengths from 2 pi to 10000 * 2 pi, where the shift is 1.
  const TimestepsOptions options{.num_channels = 4, .flip_sin_to_cos = false, .downscale_freq_shift = 1};
  const auto waves = timestep_embedding(torch::tensor({2.F}), options);
  const auto expected = torch::tensor({{std::sin(2.0), std::sin(2e-4), std::cos(2.0), std::cos(2e-4)}});
  EXPECT_TRUE(torch::allclose(waves.to(torch::kFloat64), expected.to(torch::kFloat64), 0, 1e-6));
}

TEST(ExpandTimestep, OneTimeServesABatch) {
  EXPECT_TRUE(torch::equal(expand_timestep(torch::tensor(7), 3, torch::kCPU), torch::full({3}, 7.F)));
  EXPECT_THROW(expand_timestep(torch::tensor({1, 2}), 3, torch::kCPU), c10::Error);
}

}  // namespace
}  // namespace sfumato
