#include <tuple>

#include "kernels/winograd.h"
#include "placements.h"

namespace sfumato {
namespace {

using FusedShape = std::array<std::int64_t, 5>;  // N, C, O, H, W

/// convolve_winograd with a fusion, compared with LibTorch's layers one after the other in float64.
class FusedConvolution : public testing::TestWithParam<std::tuple<torch::Dtype, FusedShape>> {
 protected:
  static constexpr auto kChannelsLast = at::MemoryFormat::ChannelsLast;
  static torch::Tensor wide(const torch::Tensor& x) { return x.to(torch::kFloat64); }
  static torch::Tensor over_image(const torch::Tensor& rows) { return rows.unsqueeze(-1).unsqueeze(-1); }

  void SetUp() override {
    torch::manual_seed(1);
    const auto [n, c, o, h, w] = std::get<1>(GetParam());
    x_ = random({n, c, h, w});
    weight_ = (torch::randn({o, c, 3, 3}) / std::sqrt(9.0 * static_cast<double>(c))).to(dtype());
    bias_ = random({o});
    norm_weight_ = random({c});
    norm_bias_ = random({c}) + 2;  // after the norm, pixels of the padding differ from its shift
    time_ = random({n, c});
    added_ = random({n, o, h, w});
  }
  static torch::Dtype dtype() { return std::get<0>(GetParam()); }
  static torch::Tensor random(at::IntArrayRef shape) {
    const auto x = torch::randn(shape).to(dtype());
    return shape.size() == 4 ? x.contiguous(kChannelsLast) : x;
  }
  NormAffine norm(const GroupNormFusion& fusion) const {
    const auto affine =
        group_norm_affine(x_, {.weight = norm_weight_, .bias = norm_bias_, .groups = 4, .eps = 1e-5}, fusion);
    TORCH_CHECK(affine, "no map of the channels");
    return *affine;
  }
  torch::Tensor fused(const ConvolutionFusion& fusion) const {
    const auto y = convolve_winograd(x_, weight_, bias_, fusion);
    TORCH_CHECK(y.is_contiguous(kChannelsLast) && y.scalar_type() == dtype(), "wrong format");
    return y;
  }
  torch::Tensor exact_norm() const {
    return torch::group_norm(wide(x_) + over_image(wide(time_)), 4, wide(norm_weight_), wide(norm_bias_), 1e-5);
  }
  torch::Tensor exact_sum(const torch::Tensor& x, std::int64_t padding = 1) const {
    return torch::conv2d(x, wide(weight_), wide(bias_), 1, padding);
  }
  /// In bfloat16 the norm's output, both factors of the products and the result are rounded (winograd_test.cpp): three
  /// to four times the root mean square of a rounding, 1.7e-3. In float32 Winograd's own error for inputs of unit size
  /// is 1.3e-6; a norm's output is rounded by 2^-24 in addition, and twice that is allowed.
  static double allowed() { return dtype() == torch::kBFloat16 ? 6e-3 : 3e-6; }

  torch::Tensor x_, weight_, bias_, norm_weight_, norm_bias_, time_, added_;

 private:
  const torch::NoGradGuard no_grad_;
};

TEST_P(FusedConvolution, NormsItsInput) {
  const auto fused_norm = norm({.added = time_}), fused_silu = norm({.added = time_, .silu = true});
  EXPECT_LE(relative_error(fused({.norm = fused_norm}), exact_sum(exact_norm())), allowed());
  EXPECT_LE(relative_error(fused({.norm = fused_silu}), exact_sum(torch::silu(exact_norm()))), allowed());
  EXPECT_GT(relative_error(fused({.norm = fused_silu}), exact_sum(exact_norm())), 0.03);
}

TEST_P(FusedConvolution, PadsWithZerosAfterTheNorm) {
  const auto affine = norm({.added = time_, .silu = true});
  const auto padded = torch::constant_pad_nd(wide(x_), {1, 1, 1, 1});
  const auto wrong =
      exact_sum(torch::silu(padded * over_image(wide(affine.factor)) + over_image(wide(affine.shift))), /*padding=*/0);
  EXPECT_GT(relative_error(fused({.norm = affine}), wrong), 10 * allowed());
}

TEST_P(FusedConvolution, UpsamplesItsInput) {
  const auto [n, c, o, h, w] = std::get<1>(GetParam());
  const auto larger = torch::upsample_nearest2d(wide(x_), {2 * h, 2 * w});
  EXPECT_LE(relative_error(fused({.upsampling = 2}), exact_sum(larger)), allowed());
  EXPECT_GT(relative_error(fused({.upsampling = 2}), exact_sum(larger.roll(1, 3))), 0.1);
}

TEST_P(FusedConvolution, AddsToItsResult) {
  EXPECT_LE(relative_error(fused({.added = added_}), exact_sum(wide(x_)) + wide(added_)), allowed());
  EXPECT_LE(relative_error(fused({.added = added_.contiguous()}), exact_sum(wide(x_)) + wide(added_)), allowed());
  EXPECT_GT(relative_error(fused({}), exact_sum(wide(x_)) + wide(added_)), 0.1);
}

TEST_P(FusedConvolution, DoesAllOfItAtOnce) {
  const auto [n, c, o, h, w] = std::get<1>(GetParam());
  const auto added = random({n, o, 2 * h, 2 * w});
  const auto larger = torch::upsample_nearest2d(torch::silu(exact_norm()), {2 * h, 2 * w});
  const auto y = fused({.norm = norm({.added = time_, .silu = true}), .upsampling = 2, .added = added});
  EXPECT_LE(relative_error(y, exact_sum(larger) + wide(added)), allowed());
}

// One image and several, whose norms differ; sizes that do not divide into tiles; more tiles than are transformed at
// once.
INSTANTIATE_TEST_SUITE_P(Shapes, FusedConvolution,
                         testing::Combine(testing::Values(torch::kFloat32, torch::kBFloat16),
                                          testing::Values(FusedShape{1, 32, 64, 8, 8}, FusedShape{3, 64, 32, 13, 6},
                                                          FusedShape{1, 640, 96, 1, 3},
                                                          FusedShape{2, 32, 32, 130, 65})));

TEST(FusedConvolutionPays, ForTheSizeAfterUpsampling) {
  const torch::NoGradGuard no_grad;
  const auto x = torch::zeros({1, 32, 16, 16}), weight = torch::zeros({16, 32, 3, 3});
  EXPECT_FALSE(winograd_pays(x, weight));
  EXPECT_TRUE(winograd_pays(x, weight, 2));
}

}  // namespace
}  // namespace sfumato
