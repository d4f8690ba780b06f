#include "nn/scaled_dot_product.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace sfumato {
namespace {

torch::Tensor drawn(at::IntArrayRef shape, std::uint64_t seed) {
  return torch::randn(shape, seeded_generator(seed), torch::kFloat32).to(torch::kBFloat16).to(torch::kFloat64);
}

/// Result and gradients of query, key and value in `dtype`, from the same numbers, as float64.
std::vector<torch::Tensor> attention(torch::Dtype dtype, std::optional<double> scale) {
  std::vector<torch::Tensor> inputs;
  for (std::uint64_t i = 0; i < 3; ++i)
    inputs.push_back(drawn({2, 3, i == 0 ? 10 : 7, 8}, i).to(dtype).requires_grad_());
  const auto bias = drawn({1, 3, 10, 7}, 4).to(dtype);
  const auto out = scaled_dot_product(inputs[0], inputs[1], inputs[2], bias, scale);
  EXPECT_EQ(out.scalar_type(), dtype);
  (out * drawn({2, 3, 10, 8}, 5).to(dtype)).sum().backward();
  std::vector<torch::Tensor> found{out.detach().to(torch::kFloat64)};
  for (const auto& input : inputs) found.push_back(input.grad().to(torch::kFloat64));
  return found;
}

// The scores, up to 10 here, are rounded to 2^-9 of their size: at worst 2 % of a probability.
TEST(ScaledDotProduct, TrainsInBfloat16AsInFloat64) {
  for (const auto scale : {std::optional<double>(), std::optional<double>(1.0)}) {
    const auto exact = attention(torch::kFloat64, scale), rounded = attention(torch::kBFloat16, scale);
    for (std::size_t i = 0; i < exact.size(); ++i)
      EXPECT_LE((rounded[i] - exact[i]).norm().item<double>(), .02 * exact[i].norm().item<double>()) << i;
  }
}

TEST(ScaledDotProduct, TheScaleCounts) {
  EXPECT_FALSE(torch::allclose(attention(torch::kBFloat16, {})[0], attention(torch::kBFloat16, 1.0)[0], .1, .1));
}

}  // namespace
}  // namespace sfumato
