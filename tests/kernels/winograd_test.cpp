#include "kernels/winograd.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/processor.h"

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

// Of F(2x2, 3x3) both factors of each product are rounded to bfloat16 after the transforms, which for independent
// values have 25/9 of the variance that the sum of the products has: sqrt(2 * 25/9 + 1) = 2.6 times the rounding of the
// result.
TEST_P(Winograd, RoundsTransformsToBfloat16) {
  const auto narrow = [](const torch::Tensor& x) { return x.to(torch::kBFloat16); };
  const auto wide = [](const torch::Tensor& x) { return x.to(torch::kBFloat16).to(torch::kFloat64); };
  const auto out = convolve_winograd(narrow(x_), narrow(weight_), {});
  EXPECT_EQ(out.scalar_type(), torch::kBFloat16);
  const auto exact = direct(wide(x_), wide(weight_), {});
  EXPECT_LE(largest_error(out, exact), 3.5 * largest_error(wide(exact), exact));
  const auto biased = convolve_winograd(narrow(x_), narrow(weight_), narrow(bias_));
  EXPECT_LE(largest_error(biased, direct(wide(x_), wide(weight_), wide(bias_))), 5e-3);
}

// Products are those of float32; a float16 has 11 bits.
TEST_P(Winograd, RoundsFloat16Once) {
  const auto narrow = [](const torch::Tensor& x) { return x.to(torch::kFloat16); };
  const auto wide = [](const torch::Tensor& x) { return x.to(torch::kFloat16).to(torch::kFloat64); };
  const auto exact = direct(wide(x_), wide(weight_), wide(bias_));
  EXPECT_LE(largest_error(convolve_winograd(narrow(x_), narrow(weight_), narrow(bias_)), exact),
            1.01 * largest_error(exact.to(torch::kFloat16), exact));
}

TEST(WinogradWeights, OfFloat16AreThoseOfFloat32) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto x = torch::randn({1, 16, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
  auto weight =
      (torch::randn({16, 16, 3, 3}) * torch::pow(2.0, torch::randint(-24, 1, {16, 16, 3, 3}))).to(torch::kFloat16);
  const auto exact = convolve_winograd(x.to(torch::kFloat16).to(torch::kFloat32), weight.to(torch::kFloat32), {});
  EXPECT_TRUE(torch::equal(convolve_winograd(x.to(torch::kFloat16), weight, {}), exact.to(torch::kFloat16)));
  weight.fill_(std::numeric_limits<float>::infinity());
  EXPECT_FALSE(torch::isfinite(convolve_winograd(x.to(torch::kFloat16), weight, {})).any().item<bool>());
}

// One image and several; sizes that do not divide into tiles; one pixel; more tiles than are transformed at once; more
// channels than the columns of a product.
INSTANTIATE_TEST_SUITE_P(Shapes, Winograd,
                         testing::Values(std::array<std::int64_t, 5>{1, 32, 64, 8, 8},
                                         std::array<std::int64_t, 5>{3, 64, 32, 13, 6},
                                         std::array<std::int64_t, 5>{1, 640, 96, 1, 1},
                                         std::array<std::int64_t, 5>{2, 32, 32, 130, 65}));

TEST(WinogradPays, NotWhereItCannot) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::zeros({1, 32, 64, 64}), weight = torch::zeros({48, 32, 3, 3});
  EXPECT_TRUE(winograd_pays(x, weight));
  EXPECT_FALSE(winograd_pays(x.to(torch::kBFloat16), weight));
  EXPECT_FALSE(winograd_pays(x.to(torch::kFloat64), weight.to(torch::kFloat64)));
  const bool widened = !has_fast_bfloat16();  // 48 is a multiple of 16, not of 32
  EXPECT_EQ(winograd_pays(x.to(torch::kBFloat16), weight.to(torch::kBFloat16)), widened);
  EXPECT_FALSE(winograd_pays(torch::zeros({1, 4, 64, 64}), torch::zeros({16, 4, 3, 3})));
  EXPECT_FALSE(winograd_pays(torch::zeros({1, 32, 4, 4}), weight));
}

// Elsewhere the products are those of float32, with a quarter of the tiles.
TEST(WinogradPays, InBfloat16WithoutAmx) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::zeros({1, 32, 16, 16}).to(torch::kBFloat16);
  const auto weight = torch::zeros({32, 32, 3, 3}).to(torch::kBFloat16);
  EXPECT_EQ(winograd_pays(x, weight), has_fast_bfloat16() && !has_amx());
  EXPECT_EQ(winograd_pays(x, weight, /*upsampling=*/2), !has_amx());
}

}  // namespace
}  // namespace sfumato
