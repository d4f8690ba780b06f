#include "kernels/linear.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <thread>

#include "core/interrupt.h"
#include "core/processor.h"

namespace sfumato {
namespace {

constexpr double kRounding = 1e-5;  // of one layer in float32

double error(const torch::Tensor& actual, const torch::Tensor& exact) {
  return ((actual.to(torch::kFloat64) - exact).abs().max() / exact.abs().max()).item<double>();
}

/// Weights of 48 outputs from 40 inputs, and enough rows for the kernels to be used.
struct Case {
  Case() { torch::manual_seed(1); }
  torch::Tensor x = torch::randn({2, 70, 40}), weight = torch::randn({48, 40}), bias = torch::randn({48});
  torch::Tensor exact_linear(const torch::Tensor& added) const {
    const auto product = torch::matmul(x.to(torch::kFloat64), weight.to(torch::kFloat64).t());
    return added.defined() ? product + added : product;
  }
  torch::Tensor exact_geglu() const {
    const auto halves = exact_linear(bias).chunk(2, -1);
    return halves[0] * torch::gelu(halves[1]);
  }
};

TEST(LinearKernel, IsTheProductInFloat32) {
  const torch::NoGradGuard no_grad;
  const Case c;
  EXPECT_LE(error(linear_layer(c.x, c.weight, c.bias), c.exact_linear(c.bias)), kRounding);
  EXPECT_LE(error(linear_layer(c.x, c.weight, {}), c.exact_linear({})), kRounding);
}

TEST(LinearKernel, TakesRowsThatAreNotContiguous) {
  const torch::NoGradGuard no_grad;
  Case c;
  c.x = torch::randn({2, 40, 70}).transpose(1, 2);
  EXPECT_LE(error(linear_layer(c.x, c.weight, c.bias), c.exact_linear(c.bias)), kRounding);
}

// A bfloat16 has 8 bits: rounding the result changes it by up to 2^-8 of itself.
TEST(LinearKernel, RoundsBfloat16OnceWithoutItsInstructions) {
  if (has_fast_bfloat16()) GTEST_SKIP() << "this processor has bfloat16 instructions";
  const torch::NoGradGuard no_grad;
  const double rounding = std::ldexp(1, -8) + kRounding;
  const auto narrow = [](const torch::Tensor& x) { return x.to(torch::kBFloat16); };
  Case c;
  for (auto* tensor : {&c.x, &c.weight, &c.bias}) *tensor = narrow(*tensor).to(torch::kFloat32);
  const auto x = narrow(c.x), weight = narrow(c.weight), bias = narrow(c.bias);
  const auto added = narrow(torch::randn({2, 70, 48}));
  const auto y = linear_layer(x, weight, bias);
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  EXPECT_LE(error(y, c.exact_linear(c.bias)), rounding);
  EXPECT_LE(error(linear_plus(x, weight, bias, added), c.exact_linear(c.bias) + added), rounding);
  EXPECT_LE(error(linear_geglu(x, weight, bias), c.exact_geglu()), rounding);
}

TEST(LinearKernel, AddsToTheProduct) {
  const torch::NoGradGuard no_grad;
  const Case c;
  const auto added = torch::randn({2, 70, 48});
  const auto exact = c.exact_linear(c.bias) + added;
  EXPECT_LE(error(linear_plus(c.x, c.weight, c.bias, added), exact), kRounding);
  EXPECT_LE(error(linear_plus(c.x.slice(1, 0, 3), c.weight, c.bias, added.slice(1, 0, 3)), exact.slice(1, 0, 3)),
            kRounding);
  EXPECT_LE(
      error(linear_plus(c.x, c.weight, {}, added.transpose(0, 1).contiguous().transpose(0, 1)), c.exact_linear(added)),
      kRounding);
  EXPECT_GT(error(linear_plus(c.x, c.weight, c.bias, added.flip(0)), exact), 100 * kRounding);
}

TEST(LinearKernel, GegluIsValueTimesGeluOfGate) {
  const torch::NoGradGuard no_grad;
  const Case c;
  EXPECT_LE(error(linear_geglu(c.x, c.weight, c.bias), c.exact_geglu()), kRounding);
  EXPECT_LE(error(linear_geglu(c.x.slice(1, 0, 3), c.weight, c.bias), c.exact_geglu().slice(1, 0, 3)), kRounding);
  EXPECT_GT(error(linear_geglu(c.x, c.weight.flip(0), c.bias), c.exact_geglu()), 100 * kRounding);
}

TEST(LinearKernel, GradientsFlowWhereTheyAreAskedFor) {
  Case c;
  c.weight.requires_grad_();
  const auto added = torch::randn({2, 70, 48});
  (linear_plus(c.x, c.weight, c.bias, added).sum() + linear_geglu(c.x, c.weight, c.bias).sum()).backward();
  EXPECT_TRUE(c.weight.grad().defined());
}

// oneDNN uses the stack register for its own data in this product; see core/interrupt.cpp.
// The sums are of 140 rows and 48 outputs, so that kRounding, of sums of 40, suffices.
TEST(LinearKernel, ItsGradientsAreThoseOfTheProduct) {
  Case c;
  const auto dy = torch::randn({2, 70, 48});
  for (auto* tensor : {&c.x, &c.weight, &c.bias}) tensor->requires_grad_();
  linear_layer(c.x, c.weight, c.bias).backward(dy);
  const auto rows = [](const torch::Tensor& tensor) { return tensor.detach().to(torch::kFloat64).flatten(0, 1); };
  EXPECT_LE(error(c.x.grad().flatten(0, 1), rows(dy).matmul(c.weight.detach().to(torch::kFloat64))), kRounding);
  EXPECT_LE(error(c.weight.grad(), rows(dy).t().matmul(rows(c.x))), kRounding);
  EXPECT_LE(error(c.bias.grad(), rows(dy).sum(0)), kRounding);
}

TEST(LinearKernel, LeavesTheHeapIntactWhenASignalArrives) {
  constexpr int kSignals = 200;
  const auto threads = at::get_num_threads();
  at::set_num_threads(2);  // with one, oneDNN chooses another product
  const torch::NoGradGuard no_grad;
  const auto x = torch::randn({128, 192}), weight = torch::randn({1536, 192});
  const auto expected = linear_geglu(x, weight, {});
  for (int i = 0; i < kSignals; ++i) {
    watch_interrupts();
    std::thread sender([i] {
      std::this_thread::sleep_for(std::chrono::microseconds(100 * (i % 20)));
      kill(getpid(), SIGINT);
    });
    while (!interrupted()) EXPECT_TRUE(linear_geglu(x, weight, {}).equal(expected));
    sender.join();
  }
  std::signal(SIGINT, SIG_DFL);
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace sfumato
