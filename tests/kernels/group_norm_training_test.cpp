#include "core/processor.h"
#include "kernels/group_norm.h"
#include "placements.h"

namespace sfumato {
namespace {

torch::Tensor at_every_pixel(const torch::Tensor& rows) {
  return rows.unsqueeze(-1).unsqueeze(-1);
}

/// Gradients of a norm's inputs by one gradient of its output, from the kernels and from LibTorch in float64.
class TrainableGroupNorm : public testing::TestWithParam<torch::Dtype> {
 protected:
  using Inputs = std::map<std::string, torch::Tensor>;

  void SetUp() override {
    if (GetParam() == torch::kBFloat16 && !has_fast_bfloat16()) GTEST_SKIP() << "no bfloat16 instructions";
    torch::manual_seed(1);
    const auto random = [](at::IntArrayRef shape) { return torch::randn(shape).to(GetParam()); };
    // 437 pixels are no multiple of a chunk.
    inputs_ = {{"x", random({3, 64, 19, 23}).contiguous(at::MemoryFormat::ChannelsLast)},
               {"weight", torch::randn({64})},
               {"bias", torch::randn({64})}};
    output_gradient_ = random({3, 64, 19, 23});
    rows_ = random({3, 128});
  }

  /// The norm with what is among `inputs`, by LibTorch.
  static torch::Tensor reference(const Inputs& inputs, bool silu) {
    auto x = inputs.at("x");
    if (inputs.contains("added")) x = x + at_every_pixel(inputs.at("added"));
    auto y = torch::group_norm(x, 8, inputs.at("weight"), inputs.at("bias"), 1e-5);
    if (inputs.contains("scale")) y = y * (1 + at_every_pixel(inputs.at("scale"))) + at_every_pixel(inputs.at("shift"));
    return silu ? torch::silu(y) : y;
  }

  static torch::Tensor fused(const Inputs& inputs, bool silu) {
    const auto optional = [&](const char* name) { return inputs.contains(name) ? inputs.at(name) : torch::Tensor(); };
    const auto y = fused_group_norm(
        inputs.at("x"), {.weight = inputs.at("weight"), .bias = inputs.at("bias"), .groups = 8, .eps = 1e-5},
        {.added = optional("added"), .scale = optional("scale"), .shift = optional("shift"), .silu = silu});
    TORCH_CHECK(y && y->is_contiguous(at::MemoryFormat::ChannelsLast) && y->scalar_type() == GetParam(), "no result");
    return *y;
  }

  /// Leaves with the values of inputs_, in float64 with `exact`.
  Inputs leaves(bool exact) const {
    Inputs leaves;
    for (const auto& [name, value] : inputs_) {
      leaves[name] = (exact ? value.to(torch::kFloat64) : value).detach().clone();
      leaves[name].requires_grad_();
    }
    return leaves;
  }

  void expect_gradients(bool silu) const {
    const auto actual = leaves(false), exact = leaves(true);
    const auto y = fused(actual, silu), expected = reference(exact, silu);
    EXPECT_LE(relative_error(y.detach(), expected.detach()), allowed());
    y.backward(output_gradient_);
    expected.backward(output_gradient_.to(torch::kFloat64));
    for (const auto& [name, leaf] : exact) {
      EXPECT_EQ(actual.at(name).grad().scalar_type(), inputs_.at(name).scalar_type());
      EXPECT_LE(relative_error(actual.at(name).grad(), leaf.grad()), allowed()) << name;
    }
  }

  /// Results are rounded once, by 2^-9 in bfloat16 at most. In float32 sums over 437 pixels round some sqrt(437) times
  /// by 2^-24.
  static double allowed() { return GetParam() == torch::kBFloat16 ? 2e-3 : 2e-6; }

  Inputs inputs_;
  torch::Tensor output_gradient_, rows_;
};

TEST_P(TrainableGroupNorm, HasTheGradientsOfTheNorm) {
  expect_gradients(false);
  expect_gradients(true);
}

TEST_P(TrainableGroupNorm, HasTheGradientsOfAnAddedTimeEmbedding) {
  inputs_["added"] = rows_.narrow(1, 0, 64);
  expect_gradients(false);
  expect_gradients(true);
}

TEST_P(TrainableGroupNorm, HasTheGradientsOfAScaleAndShift) {
  inputs_["scale"] = rows_.narrow(1, 0, 64);
  inputs_["shift"] = rows_.narrow(1, 64, 64);
  expect_gradients(false);
  expect_gradients(true);
}

// A mean 100 times the standard deviation, as in the test of the values.
TEST_P(TrainableGroupNorm, KeepsGradientsAroundALargeMean) {
  if (GetParam() == torch::kBFloat16) GTEST_SKIP() << "bfloat16 cannot hold such values";
  inputs_["x"] = (inputs_["x"] + 100).contiguous(at::MemoryFormat::ChannelsLast);
  const auto actual = leaves(false), exact = leaves(true);
  fused(actual, true).backward(output_gradient_);
  reference(exact, true).backward(output_gradient_.to(torch::kFloat64));
  // factor x + shift cancels to a hundredth: 100 times the rounding of 2^-24, which SiLU passes on.
  EXPECT_LE(relative_error(actual.at("x").grad(), exact.at("x").grad()), 1e-5);
}

TEST_P(TrainableGroupNorm, GivesNoGradientThatNobodyNeeds) {
  auto inputs = inputs_;
  inputs["x"] = inputs["x"].clone().requires_grad_();
  fused(inputs, true).backward(output_gradient_);
  EXPECT_TRUE(inputs["x"].grad().defined());
  EXPECT_FALSE(inputs["weight"].grad().defined());
}

INSTANTIATE_TEST_SUITE_P(Dtypes, TrainableGroupNorm, testing::Values(torch::kFloat32, torch::kBFloat16),
                         [](const auto& param) { return param.param == torch::kFloat32 ? "Float32" : "BFloat16"; });

}  // namespace
}  // namespace sfumato
