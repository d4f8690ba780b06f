#include "kernels/cuda_inference.h"

#include "kernels/cuda_library.h"
#include "placements.h"

namespace sfumato {
namespace {

/// Our kernels against LibTorch's operators in float32 on the CPU.
class CudaKernelsOn : public OnPlacement {
 protected:
  void SetUp() override {
    OnPlacement::SetUp();
    if (!IsSkipped() && !cuda_kernels().kernels) GTEST_SKIP() << cuda_kernels().note;
    torch::manual_seed(1);
  }
  torch::Tensor placed(const torch::Tensor& tensor) const {
    return tensor.defined() ? tensor.to(GetParam().device, GetParam().dtype) : tensor;
  }
  /// A value that placing does not change.
  torch::Tensor random(at::IntArrayRef shape) const {
    return torch::randn(shape).to(GetParam().dtype).to(torch::kFloat32);
  }
  double allowed() const { return tolerance(GetParam().dtype, 2); }

 private:
  const torch::NoGradGuard no_grad_;
};

torch::Tensor over_pixels(const torch::Tensor& rows) {
  return rows.unsqueeze(-1).unsqueeze(-1);
}

TEST_P(CudaKernelsOn, GroupNormWithEachEmbedding) {
  for (const auto& [channels, side] : {std::pair(320, 8), std::pair(640, 32), std::pair(96, 131)}) {
    const auto x = random({2, channels, side, side}) + 0.5, weight = random({channels}), bias = random({channels});
    const auto rows = random({2, 2 * channels});
    const auto norm = [&](const torch::Tensor& of) { return torch::group_norm(of, 32, weight, bias, 1e-5); };
    const auto scale = rows.narrow(1, 0, channels), shift = rows.narrow(1, channels, channels);
    const auto actual = [&](const torch::Tensor& added, bool scaled, bool silu) {
      const auto both = placed(rows).chunk(2, 1);
      GroupNormFusion fusion{.added = added.defined() ? placed(added).contiguous() : added, .silu = silu};
      if (scaled) fusion = {.scale = both[0], .shift = both[1], .silu = silu};
      const auto placed_weight = placed(weight), placed_bias = placed(bias);
      auto y = cuda_group_norm(placed(x).contiguous(at::MemoryFormat::ChannelsLast),
                               {.weight = placed_weight, .bias = placed_bias, .groups = 32, .eps = 1e-5}, fusion);
      TORCH_CHECK(y && y->is_contiguous(at::MemoryFormat::ChannelsLast), "no result in channels-last");
      return *y;
    };
    const auto rounded = placed(x).to(torch::kCPU, torch::kFloat32);
    EXPECT_LE(relative_error(actual({}, false, false), norm(rounded)), allowed());
    EXPECT_LE(relative_error(actual(scale, false, true), torch::silu(norm(rounded + over_pixels(scale)))), allowed());
    EXPECT_LE(relative_error(actual({}, true, true),
                             torch::silu(norm(rounded) * (1 + over_pixels(scale)) + over_pixels(shift))),
              allowed());
    EXPECT_GT(relative_error(actual({}, false, true), norm(rounded)), 0.1);  // the comparison sees another function
  }
}

TEST_P(CudaKernelsOn, Geglu) {
  for (const int channels : {40, 1280, 333}) {
    const auto input = random({2, 50, 2 * channels}), bias = random({2 * channels});
    const auto halves = (input + bias).chunk(2, -1);
    const auto y = cuda_geglu(placed(input), placed(bias));
    ASSERT_TRUE(y);
    EXPECT_LE(relative_error(*y, halves[0] * torch::gelu(halves[1])), allowed());
  }
}

TEST_P(CudaKernelsOn, LayerNormOfASum) {
  for (const int channels : {320, 1280, 77}) {
    const auto x = random({2, 50, channels}), residual = random({2, 50, channels});
    const auto weight = random({channels}), bias = random({channels});
    const auto both = cuda_add_layer_norm(placed(x), placed(residual), placed(weight), placed(bias), 1e-5);
    ASSERT_TRUE(both);
    EXPECT_LE(relative_error(both->first, x + residual), allowed());
    EXPECT_LE(relative_error(both->second, torch::layer_norm(x + residual, {channels}, weight, bias, 1e-5)), allowed());
  }
}

TEST_P(CudaKernelsOn, LeavesGradientsAndOtherFormatsToLibTorch) {
  const auto weight = placed(random({32})), bias = placed(random({32})), x = placed(random({2, 32, 5, 5}));
  const GroupNormParameters parameters{.weight = weight, .bias = bias, .groups = 8, .eps = 1e-5};
  EXPECT_FALSE(cuda_group_norm(x, parameters, {}));
  const torch::AutoGradMode gradients(true);
  EXPECT_FALSE(cuda_group_norm(x.contiguous(at::MemoryFormat::ChannelsLast), parameters, {}));
}

INSTANTIATE_TEST_SUITE_P(Placements, CudaKernelsOn, testing::ValuesIn(cuda_placements()), placement_name);

}  // namespace
}  // namespace sfumato
