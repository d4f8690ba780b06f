#include "core/processor.h"
#include "kernels/winograd.h"
#include "placements.h"
#include "training/autocast.h"

namespace sfumato {
namespace {

/// Inputs of a convolution and the gradients of their values by one gradient of its output.
struct Convolution {
  torch::Tensor x, weight, bias;

  Convolution in_float64() const {
    const auto exact = [](const torch::Tensor& value) { return value.detach().to(torch::kFloat64).requires_grad_(); };
    return {exact(x), exact(weight), exact(bias)};
  }
  std::map<std::string, torch::Tensor> gradients() const {
    return {{"x", x.grad()}, {"weight", weight.grad()}, {"bias", bias.grad()}};
  }
};

class TrainableWinograd : public testing::TestWithParam<std::array<std::int64_t, 5>> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    const auto [n, c, o, h, w] = GetParam();
    inputs_ = {torch::randn({n, c, h, w}).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(),
               torch::randn({o, c, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_(),
               torch::randn({o}).requires_grad_()};
    output_gradient_ = torch::randn({n, o, h, w});
  }
  Convolution inputs_;
  torch::Tensor output_gradient_;
};

// The tolerance of one layer.
TEST_P(TrainableWinograd, HasTheGradientsOfTheConvolution) {
  const auto exact = inputs_.in_float64();
  const auto y = trainable_winograd(inputs_.x, inputs_.weight, inputs_.bias);
  const auto expected = torch::conv2d(exact.x, exact.weight, exact.bias, 1, 1);
  EXPECT_LE(relative_error(y.detach(), expected.detach()), 1e-5);
  y.backward(output_gradient_);
  expected.backward(output_gradient_.to(torch::kFloat64));
  const auto gradients = inputs_.gradients();
  for (const auto& [name, value] : exact.gradients())
    EXPECT_LE(relative_error(gradients.at(name), value), 1e-5) << name;
  EXPECT_EQ(inputs_.weight.grad().strides(), inputs_.weight.strides());
}

// Each gradient is a sum of products whose two factors are rounded to bfloat16 after their transform; those of the
// input and the output are rounded again, and the inputs before.
TEST_P(TrainableWinograd, RoundsAsBfloat16UnderAutocast) {
  if (!has_fast_bfloat16()) GTEST_SKIP() << "no bfloat16 instructions";
  const auto exact = inputs_.in_float64();
  torch::Tensor y;
  {
    const AutocastScope autocast(torch::kCPU, true);
    y = trainable_winograd(inputs_.x, inputs_.weight, inputs_.bias);
  }
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  const auto expected = torch::conv2d(exact.x, exact.weight, exact.bias, 1, 1);
  EXPECT_LE(relative_error(y.detach(), expected.detach()), 8e-3);
  y.backward(output_gradient_.to(torch::kBFloat16));
  expected.backward(output_gradient_.to(torch::kFloat64));
  const auto gradients = inputs_.gradients();
  for (const auto& [name, value] : exact.gradients()) {
    EXPECT_EQ(gradients.at(name).scalar_type(), torch::kFloat32) << name;
    EXPECT_LE(relative_error(gradients.at(name), value), 8e-3) << name;
  }
}

TEST_P(TrainableWinograd, ComputesNoGradientOfAFixedInput) {
  trainable_winograd(inputs_.x.detach(), inputs_.weight, {}).backward(output_gradient_);
  EXPECT_FALSE(inputs_.x.grad().defined());
  EXPECT_TRUE(inputs_.weight.grad().defined());
}

// Tiles in whole vectors and not; sizes that do not divide into tiles; more tiles than are transformed at once.
INSTANTIATE_TEST_SUITE_P(Shapes, TrainableWinograd,
                         testing::Values(std::array<std::int64_t, 5>{4, 32, 96, 8, 8},
                                         std::array<std::int64_t, 5>{3, 64, 32, 13, 6},
                                         std::array<std::int64_t, 5>{1, 96, 32, 3, 1},
                                         std::array<std::int64_t, 5>{2, 32, 32, 130, 65}));

TEST(WinogradPaysInTraining, NotForFewTilesOrInInference) {
  const auto x = torch::zeros({4, 32, 16, 16}), weight = torch::zeros({32, 32, 3, 3});
  EXPECT_TRUE(winograd_pays_in_training(x, weight));
  EXPECT_FALSE(winograd_pays_in_training(x.narrow(3, 0, 8).narrow(2, 0, 8), weight));
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(winograd_pays_in_training(x, weight));
}

TEST(WinogradPaysInTraining, InBfloat16WithoutAmx) {
  const auto x = torch::zeros({4, 32, 16, 16}), weight = torch::zeros({32, 32, 3, 3});
  const auto pays = has_fast_bfloat16() && !has_amx();
  EXPECT_EQ(winograd_pays_in_training(x.to(torch::kBFloat16), weight.to(torch::kBFloat16)), pays);
  const AutocastScope autocast(torch::kCPU, true);
  EXPECT_EQ(winograd_pays_in_training(x, weight), pays);
}

}  // namespace
}  // namespace sfumato
