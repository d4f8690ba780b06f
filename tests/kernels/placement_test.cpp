#include "kernels/linear.h"
#include "placements.h"

namespace sfumato {
namespace {

using LinearOn = OnPlacement;

/// Tolerance of one layer whose weights, rows and result are all rounded.
double layer_tolerance() {
  return tolerance(LinearOn::GetParam().dtype, 2);
}

torch::Tensor placed(const torch::Tensor& tensor) {
  return tensor.to(LinearOn::GetParam().device, LinearOn::GetParam().dtype);
}

TEST_P(LinearOn, BothLayersAreNearFloat32OnTheCpu) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  const auto x = torch::randn({2, 70, 40}), weight = torch::randn({48, 40}), bias = torch::randn({48});
  const auto linear = linear_layer(placed(x), placed(weight), placed(bias));
  EXPECT_EQ(linear.scalar_type(), GetParam().dtype);
  EXPECT_LE(relative_error(linear, linear_layer(x, weight, bias)), layer_tolerance());
  const auto expected = linear_geglu(x, weight, bias);
  // The errors of two products, of gelu and of the product of both.
  EXPECT_LE(relative_error(linear_geglu(placed(x), placed(weight), placed(bias)), expected), 2 * layer_tolerance());
  EXPECT_GT(relative_error(linear_geglu(placed(x), placed(weight.flip(0)), placed(bias)), expected), 0.5);
}

INSTANTIATE_TEST_SUITE_P(Placements, LinearOn, testing::ValuesIn(placements()), placement_name);

}  // namespace
}  // namespace sfumato
