#include "kernels/group_norm.h"

#include "placements.h"

namespace sfumato {
namespace {

torch::Tensor over_image(const torch::Tensor& rows) {
  return rows.unsqueeze(-1).unsqueeze(-1);
}

class FusedGroupNorm : public testing::TestWithParam<torch::Dtype> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    x_ = random({2, 64, 19, 23}).contiguous(at::MemoryFormat::ChannelsLast);  // pixels are no multiple of a chunk
    weight_ = random({64});
    bias_ = random({64});
    rows_ = random({2, 128});
  }
  static torch::Tensor random(at::IntArrayRef shape) { return torch::randn(shape).to(GetParam()); }
  torch::Tensor fused(const GroupNormFusion& fusion) const {
    const auto y = fused_group_norm(x_, {.weight = weight_, .bias = bias_, .groups = 8, .eps = 1e-5}, fusion);
    TORCH_CHECK(y && y->is_contiguous(at::MemoryFormat::ChannelsLast) && y->scalar_type() == GetParam(), "no result");
    return *y;
  }
  torch::Tensor exact(const torch::Tensor& added = {}) const {
    const auto wide = [](const torch::Tensor& x) { return x.to(torch::kFloat64); };
    const auto x = added.defined() ? wide(x_) + over_image(wide(added)) : wide(x_);
    return torch::group_norm(x, 8, wide(weight_), wide(bias_), 1e-5);
  }
  /// The result is rounded once: 2^-9 in bfloat16 at most.
  static double allowed() { return GetParam() == torch::kBFloat16 ? 2e-3 : 1e-6; }

  torch::Tensor x_, weight_, bias_, rows_;

 private:
  const torch::NoGradGuard no_grad_;
};

TEST_P(FusedGroupNorm, IsTheNorm) {
  EXPECT_LE(relative_error(fused({}), exact()), allowed());
  EXPECT_LE(relative_error(fused({.silu = true}), torch::silu(exact())), allowed());
  EXPECT_GT(relative_error(fused({.silu = true}), exact()), 0.1);
}

TEST_P(FusedGroupNorm, TakesEitherTimeEmbedding) {
  const auto added = rows_.narrow(1, 0, 64), shift = rows_.narrow(1, 64, 64);
  EXPECT_LE(relative_error(fused({.added = added, .silu = true}), torch::silu(exact(added))), allowed());
  const auto scaled = exact() * (1 + over_image(added.to(torch::kFloat64))) + over_image(shift.to(torch::kFloat64));
  EXPECT_LE(relative_error(fused({.scale = added, .shift = shift}), scaled), allowed());
}

// A mean 1,000 times the deviation: sums of plain squares in float32 would lose the variance. What remains is the
// rounding of factor x + shift, as LibTorch computes it too.
TEST_P(FusedGroupNorm, KeepsASmallVarianceAroundALargeMean) {
  if (GetParam() == torch::kBFloat16) GTEST_SKIP() << "bfloat16 cannot hold such values";
  x_ = (x_ + 1000).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_LE(relative_error(fused({}), exact()), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Dtypes, FusedGroupNorm, testing::Values(torch::kFloat32, torch::kBFloat16),
                         [](const auto& param) { return param.param == torch::kFloat32 ? "Float32" : "BFloat16"; });

TEST(FusedGroupNormLimits, LeavesTheRestToLibTorch) {
  const auto weight = torch::ones({8}), bias = torch::zeros({8});
  const GroupNormParameters parameters{.weight = weight, .bias = bias, .groups = 2, .eps = 1e-5};
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(fused_group_norm(torch::randn({1, 8, 4, 4}), parameters, {}));
  EXPECT_FALSE(fused_group_norm(torch::randn({1, 8, 4}), parameters, {}));
}

}  // namespace
}  // namespace sfumato
