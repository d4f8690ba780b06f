#include "nn/layers.h"

#include <gtest/gtest.h>

#include "core/processor.h"
#include "core/random.h"
#include "nn/init.h"
#include "nn/shared_statistics.h"

namespace sfumato {
namespace {

TEST(Initialize, TheSameSeedGivesTheSameWeights) {
  Linear a(8, 4), b(8, 4);
  initialize(*a, seeded_generator(1));
  initialize(*b, seeded_generator(1));
  EXPECT_TRUE(torch::equal(a->weight, b->weight));
  EXPECT_LE(a->weight.abs().max().item<float>(), 1 / std::sqrt(8.0F));
}

TEST(Conv2d, AddsToItsOutput) {
  const torch::NoGradGuard no_grad;
  for (const std::int64_t kernel : {1, 3}) {
    Conv2d conv(6, 4, kernel, ConvOptions{.padding = kernel / 2});
    initialize(*conv, seeded_generator(1));
    const auto x = torch::randn({2, 6, 8, 8}, seeded_generator(2), torch::kFloat32);
    const auto added = torch::randn({2, 4, 8, 8}, seeded_generator(3), torch::kFloat32);
    const auto exact = torch::conv2d(x.to(torch::kFloat64), conv->weight.to(torch::kFloat64),
                                     conv->bias.to(torch::kFloat64), 1, kernel / 2) +
                       added;
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast})
      EXPECT_TRUE(torch::allclose(conv->forward_plus(x.contiguous(format), added).to(torch::kFloat64), exact, 1e-5,
                                  1e-6));  // roundings of sums of 54
  }
}

// The products are computed in float32, so that only the result is rounded: by up to 2^-8 of itself.
TEST(Conv2d, RoundsBfloat16OnceWithoutItsInstructions) {
  if (has_fast_bfloat16()) GTEST_SKIP() << "this processor has bfloat16 instructions";
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto x = torch::randn({2, 32, 24, 24}).to(torch::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
  for (const auto& [kernel, stride] : {std::pair(1, 1), std::pair(3, 1), std::pair(3, 2)}) {
    Conv2d convolution(32, 32, kernel, ConvOptions{.stride = stride, .padding = kernel / 2});
    convolution->weight.normal_(0, 0.1);
    convolution->bias.normal_();
    convolution->to(torch::kBFloat16);
    const auto wide = [](const torch::Tensor& tensor) { return tensor.to(torch::kFloat64); };
    const auto exact = torch::conv2d(wide(x), wide(convolution->weight), wide(convolution->bias), stride, kernel / 2);
    const auto y = convolution(x);
    EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
    EXPECT_LE(((wide(y) - exact).abs().max() / exact.abs().max()).item<double>(), std::ldexp(1, -8) + 1e-5);
  }
}

TEST(GroupNorm, RefusesChannelsThatDoNotDivide) {
  EXPECT_THROW(GroupNorm(3, 8, 1e-5), std::invalid_argument);
}

TEST(SharedStatistics, PartsAreNormalisedAsTheyAreWithinTheWhole) {
  const torch::NoGradGuard no_grad;
  GroupNorm norm(2, 8, 1e-5);
  norm->weight.normal_(1, .3, seeded_generator(1));
  norm->bias.normal_(0, .3, seeded_generator(2));
  const auto whole = 3 + 2 * torch::randn({2, 8, 6, 6}, seeded_generator(3), torch::kFloat32);
  const auto expected = norm(whole), part = whole.slice(3, 0, 3);
  {
    const SharedStatistics shared([&] { norm(whole); });
    EXPECT_TRUE(torch::allclose(norm(part), expected.slice(3, 0, 3), 1e-5, 1e-5));  // some roundings of values up to 5
  }
  EXPECT_FALSE(torch::allclose(norm(part), expected.slice(3, 0, 3), 1e-2, 1e-2)) << "it is over";
}

TEST(SharedStatistics, AreOverWhereThePassOverTheWholeFails) {
  const torch::NoGradGuard no_grad;
  GroupNorm norm(2, 8, 1e-5);
  norm->weight.fill_(1);
  norm->bias.zero_();
  const auto pass = [&] {
    norm(torch::ones({1, 8, 4, 4}));
    throw std::bad_alloc();
  };
  EXPECT_THROW(SharedStatistics{pass}, std::bad_alloc);
  EXPECT_EQ(SharedStatistics::current(), nullptr);
}

}  // namespace
}  // namespace sfumato
