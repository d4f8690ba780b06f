#include "kernels/convolution.h"

#include "core/processor.h"
#include "placements.h"

namespace sfumato {
namespace {

constexpr auto kLast = at::MemoryFormat::ChannelsLast;

TEST(ConvolvePatches, IsTheConvolution) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(1);
  for (const auto dtype : {torch::kFloat32, torch::kBFloat16}) {
    const auto x = torch::randn({2, 24, 5, 7}).to(dtype).contiguous(kLast);
    const auto weight = torch::randn({40, 24, 3, 3}).to(dtype).contiguous(kLast), bias = torch::randn({40}).to(dtype);
    const auto exact = torch::conv2d(x.to(torch::kFloat64), weight.to(torch::kFloat64), bias.to(torch::kFloat64), 1, 1);
    const auto y = convolve_patches(x, weight, bias);
    EXPECT_EQ(y.scalar_type(), dtype);
    EXPECT_TRUE(y.is_contiguous(kLast));
    const auto allowed = dtype == torch::kFloat32 ? 1e-6 : 2e-3;
    EXPECT_LE(relative_error(y, exact), allowed);
    EXPECT_LE(relative_error(convolve_patches(x, weight, {}), exact - bias.to(torch::kFloat64).view({1, -1, 1, 1})),
              allowed);
    EXPECT_GT(relative_error(convolve_patches(x.flip(3).contiguous(kLast), weight, bias), exact), 0.1);
  }
}

TEST(ConvolvePatches, PaysForSmallImagesOnly) {
  const auto weight = torch::randn({32, 32, 3, 3}).contiguous(kLast);
  EXPECT_FALSE(patches_pay(torch::randn({1, 32, 8, 8}), weight));  // gradients are on
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(patches_pay(torch::randn({1, 32, 8, 8}), weight));
  EXPECT_FALSE(patches_pay(torch::randn({1, 32, 64, 64}), weight));
  EXPECT_FALSE(patches_pay(torch::randn({1, 32, 8, 8}), weight.contiguous()));
}

}  // namespace
}  // namespace sfumato
