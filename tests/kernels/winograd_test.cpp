#include "kernels/winograd.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

torch::Tensor direct(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  return torch::conv2d(x, weight, bias, 1, 1);
}

double largest_error(const torch::Tensor& actual, const torch::Tensor& exact) {
  return ((actual.to(torch::kFloat64) - exact).square().mean() / exact.square().mean()).sqrt().item<double>();
}

class Winograd : public testing::TestWithParam<std::array<std::int64_t, 5>> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    const auto [n, c, o, h, w] = GetParam();
    x_ = torch::randn({n, c, h, w});
    weight_ = torch::randn({o, c, 3, 3}) / std::sqrt(9.0 * static_cast<double>(c));
    bias_ = torch::randn({o});
    exact_ = direct(x_.to(torch::kFloat64), weight_.to(torch::kFloat64), bias_.to(torch::kFloat64));
  }
  torch::NoGradGuard no_grad_;
  torch::Tensor x_, weight_, bias_, exact_;
};

// Within twice the rounding of the direct sum in float32, and within the tolerance of one layer.
TEST_P(Winograd, RoundsAboutAsTheDirectSumDoes) {
  const auto out = convolve_winograd(x_, weight_, bias_);
  EXPECT_LE(largest_error(out, exact_), 2 * largest_error(direct(x_, weight_, bias_), exact_) + 1e-6);
  EXPECT_LE((out.to(torch::kFloat64) - exact_).abs().max().item<double>(), 1e-5 * exact_.abs().max().item<double>());
}

TEST_P(Winograd, TakesEitherMemoryFormatAndAnswersChannelsLast) {
  const auto last = at::MemoryFormat::ChannelsLast;
  const auto out = convolve_winograd(x_, weight_, {});
  EXPECT_TRUE(out.is_contiguous(last));
  EXPECT_TRUE(torch::equal(out, convolve_winograd(x_.contiguous(last), weight_.contiguous(last), {})));
}

// One image and several; sizes that do not divide into tiles; one pixel; more tiles than are transformed at once.
// Only the images and weights are in bfloat16: the result differs from the exact one by its own rounding.
TEST_P(Winograd, ComputesBfloat16InFloat32) {
  const auto narrow = [](const torch::Tensor& x) { return x.to(torch::kBFloat16); };
  const auto wide = [](const torch::Tensor& x) { return x.to(torch::kBFloat16).to(torch::kFloat64); };
  const auto out = convolve_winograd(narrow(x_), narrow(weight_), narrow(bias_));
  EXPECT_EQ(out.scalar_type(), torch::kBFloat16);
  EXPECT_LE(largest_error(out, direct(wide(x_), wide(weight_), wide(bias_))), 2e-3);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         testing::Values(std::array<std::int64_t, 5>{1, 16, 32, 8, 8},
                                         std::array<std::int64_t, 5>{3, 32, 16, 13, 6},
                                         std::array<std::int64_t, 5>{1, 640, 48, 1, 1},
                                         std::array<std::int64_t, 5>{2, 16, 16, 130, 65}));

TEST(WinogradPays, NotWhereItCannot) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::zeros({1, 32, 64, 64}), weight = torch::zeros({16, 32, 3, 3});
  EXPECT_TRUE(winograd_pays(x, weight));
  EXPECT_FALSE(winograd_pays(x.to(torch::kBFloat16), weight));
  EXPECT_FALSE(winograd_pays(x.to(torch::kFloat16), weight.to(torch::kFloat16)));
  const auto half = x.narrow(3, 0, 32).to(torch::kBFloat16);  // direct sums in bfloat16 are faster
  EXPECT_FALSE(winograd_pays(half, weight.to(torch::kBFloat16)));
  EXPECT_FALSE(winograd_pays(torch::zeros({1, 4, 64, 64}), torch::zeros({16, 4, 3, 3})));
  EXPECT_FALSE(winograd_pays(torch::zeros({1, 32, 4, 4}), weight));
}

}  // namespace
}  // namespace sfumato
