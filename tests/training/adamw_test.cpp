#include "training/adamw.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sfumato {
namespace {

torch::Tensor parameter(std::vector<double> values, at::IntArrayRef shape) {
  return torch::tensor(values, torch::kFloat32).reshape(shape).requires_grad_(true);
}

TEST(AdamW, FirstStepMovesByTheLearningRateAgainstTheGradientsSign) {
  // Bias correction makes m / sqrt(v) = g / |g| at the first step, whatever the gradient's size.
  auto weight = parameter({1.0, 1.0}, {2});
  AdamW optimizer({{"w", weight}}, {.weight_decay = 0});
  weight.mutable_grad() = torch::tensor({1e-3F, -50.0F});
  optimizer.step(0.1);
  EXPECT_NEAR(weight[0].item<double>(), 0.9, 1e-5);
  EXPECT_NEAR(weight[1].item<double>(), 1.1, 1e-5);
}

TEST(AdamW, AgreesWithTorchOptimOverManySteps) {
  torch::manual_seed(1);
  auto ours = torch::randn({6, 5}).requires_grad_(true);
  auto theirs = ours.detach().clone().requires_grad_(true);
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1};
  AdamW optimizer({{"w", ours}}, options);
  torch::optim::AdamW reference(std::vector<torch::Tensor>{theirs},
                                torch::optim::AdamWOptions(0.01).betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1));
  for (int i = 0; i < 50; ++i) {
    const auto gradient = torch::randn({6, 5});
    ours.mutable_grad() = gradient.clone();
    theirs.mutable_grad() = gradient.clone();
    optimizer.step(0.01);
    reference.step();
  }
  EXPECT_LT((ours - theirs).abs().max().item<double>(), 2e-6) << "float32 rounding of 50 steps";
}

TEST(AdamW, WeightDecaySparesBiasesAndNorms) {
  auto matrix = parameter({1, 1, 1, 1}, {2, 2});
  auto bias = parameter({1, 1}, {2});
  AdamW optimizer({{"m", matrix}, {"b", bias}}, {.weight_decay = 0.5});
  matrix.mutable_grad() = torch::zeros({2, 2});
  bias.mutable_grad() = torch::zeros({2});
  optimizer.step(0.1);
  EXPECT_NEAR(matrix[0][0].item<double>(), 1 - 0.1 * 0.5, 1e-6);
  EXPECT_EQ(bias[0].item<double>(), 1.0);
}

TEST(AdamW, UpdatesKernelsThatLieChannelsLastAsItUpdatesContiguousOnes) {
  torch::manual_seed(2);
  auto plain = torch::randn({4, 3, 3, 3}).requires_grad_(true);
  auto permuted = plain.detach().contiguous(torch::MemoryFormat::ChannelsLast).requires_grad_(true);
  AdamW a({{"w", plain}}, {});
  AdamW b({{"w", permuted}}, {});
  const auto x = torch::randn({2, 3, 6, 6});
  torch::conv2d(x, plain).square().sum().backward();
  torch::conv2d(x.contiguous(torch::MemoryFormat::ChannelsLast), permuted).square().sum().backward();
  a.step(0.01);
  b.step(0.01);
  EXPECT_LT((plain - permuted).abs().max().item<double>(), 1e-5);
}

TEST(AdamW, ContinuesExactlyFromItsState) {
  auto run = [](bool interrupted) {
    torch::manual_seed(3);
    auto weight = torch::randn({8, 8}).requires_grad_(true);
    auto optimizer = std::make_unique<AdamW>(NamedTensors{{"w", weight}}, AdamWOptions{});
    for (int i = 0; i < 6; ++i) {
      if (interrupted && i == 3) {
        std::map<std::string, torch::Tensor> saved;
        for (const auto& [name, value] : optimizer->state()) saved[name] = value.clone();
        optimizer = std::make_unique<AdamW>(NamedTensors{{"w", weight}}, AdamWOptions{});
        optimizer->load_state(saved);
      }
      weight.mutable_grad() = torch::randn({8, 8});
      optimizer->step(0.01);
    }
    return weight.detach();
  };
  EXPECT_TRUE(torch::equal(run(true), run(false)));
}

TEST(AdamW, RefusesAStateOfAnotherShape) {
  auto weight = parameter({1, 2}, {2});
  AdamW optimizer({{"w", weight}}, {});
  auto state = optimizer.state();
  state["exp_avg.w"] = torch::zeros({3});
  EXPECT_THROW(optimizer.load_state(state), std::runtime_error);
}

TEST(ClipGradNorm, ScalesTheJointNormDownToTheLimitAndReturnsWhatItWas) {
  auto a = parameter({0}, {1});
  auto b = parameter({0}, {1});
  a.mutable_grad() = torch::tensor({3.0F});
  b.mutable_grad() = torch::tensor({4.0F});
  EXPECT_NEAR(clip_grad_norm({{"a", a}, {"b", b}}, 1.0), 5.0, 1e-6);
  EXPECT_NEAR(a.grad().item<double>(), 0.6, 1e-5);
  EXPECT_NEAR(b.grad().item<double>(), 0.8, 1e-5);
}

TEST(ClipGradNorm, LeavesSmallGradientsAlone) {
  auto a = parameter({0}, {1});
  a.mutable_grad() = torch::tensor({0.5F});
  clip_grad_norm({{"a", a}}, 1.0);
  EXPECT_EQ(a.grad().item<float>(), 0.5F);
}

}  // namespace
}  // namespace sfumato
