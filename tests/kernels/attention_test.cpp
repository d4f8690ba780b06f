#include "kernels/attention.h"

#include <cmath>

#include "core/processor.h"
#include "placements.h"

namespace sfumato {
namespace {

/// Sizes of an attention; `s` keys.
struct Size {
  std::int64_t n, heads, l, s, d;
};

class BlockedAttention : public testing::TestWithParam<std::tuple<torch::Dtype, Size>> {
 protected:
  void SetUp() override {
    const auto [dtype, size] = GetParam();
    if (!has_avx2()) GTEST_SKIP() << "this processor lacks the instructions";
    torch::manual_seed(1);
    query_ = heads_of(size.l);
    key_ = heads_of(size.s) * 2;  // scores spread over several powers of e
    value_ = heads_of(size.s);
  }
  /// [N, heads, length, d] as layers compute it: a view of [N, length, heads * d].
  static torch::Tensor heads_of(std::int64_t length) {
    const auto [dtype, size] = GetParam();
    return torch::randn({size.n, length, size.heads * size.d})
        .to(dtype)
        .unflatten(-1, {size.heads, size.d})
        .transpose(1, 2);
  }
  double scale() const { return 1 / std::sqrt(static_cast<double>(std::get<1>(GetParam()).d)); }
  /// By the definition, in float64.
  torch::Tensor exact(const torch::Tensor& bias = {}) const {
    const auto wide = [](const torch::Tensor& x) { return x.to(torch::kFloat64); };
    auto scores = wide(query_).matmul(wide(key_).transpose(-1, -2)) * scale();
    if (bias.defined()) scores = scores + wide(bias);
    return scores.softmax(-1).matmul(wide(value_));
  }
  /// In bfloat16 the weights and the result are rounded, each with an error of 2^-9 at most and of a standard deviation
  /// of about 2^-9 / sqrt(3); in float32 the sums are long.
  static double allowed() { return std::get<0>(GetParam()) == torch::kBFloat16 ? 2e-3 * 1.5 : 2e-6; }

  torch::Tensor query_, key_, value_;

 private:
  const torch::NoGradGuard no_grad_;
};

TEST_P(BlockedAttention, IsTheSoftmaxOfAllScores) {
  const auto mixed = blocked_attention(query_, key_, value_, {}, scale());
  ASSERT_TRUE(mixed);
  EXPECT_EQ(mixed->sizes(), query_.sizes());
  EXPECT_TRUE(mixed->transpose(1, 2).is_contiguous());
  EXPECT_LE(relative_error(*mixed, exact()), allowed());
  if (key_.size(2) == 1) return;  // any scale is right
  EXPECT_GT(relative_error(*blocked_attention(query_, key_, value_, {}, 0.9 * scale()), exact()), 2 * allowed());
}

TEST_P(BlockedAttention, AddsABiasOfTheKeys) {
  if (key_.size(2) == 1) return;
  auto bias = torch::zeros({query_.size(0), 1, 1, key_.size(2)});
  bias.slice(3, key_.size(2) / 2).fill_(-10000);  // hidden, as padding is
  EXPECT_LE(relative_error(*blocked_attention(query_, key_, value_, bias, scale()), exact(bias)), allowed());
  EXPECT_GT(relative_error(*blocked_attention(query_, key_, value_, {}, scale()), exact(bias)), 10 * allowed());
}

// The first query's scores exceed what exp can represent, the others' do not.
TEST_P(BlockedAttention, TakesLargeScores) {
  query_.select(2, 0).mul_(100);
  const auto mixed = blocked_attention(query_, key_, value_, {}, scale());
  EXPECT_TRUE(mixed->isfinite().all().item<bool>());
  EXPECT_LE(relative_error(*mixed, exact()), 2 * allowed());
}

std::string case_name(const testing::TestParamInfo<std::tuple<torch::Dtype, Size>>& info) {
  const auto [dtype, size] = info.param;
  return std::string(dtype == torch::kFloat32 ? "Float32" : "BFloat16") + "Keys" + std::to_string(size.s);
}

INSTANTIATE_TEST_SUITE_P(Sizes, BlockedAttention,
                         testing::Combine(testing::Values(torch::kFloat32, torch::kBFloat16),
                                          testing::Values(Size{2, 3, 300, 1030, 40}, Size{1, 2, 5, 77, 64},
                                                          Size{2, 1, 128, 16, 160}, Size{1, 1, 130, 1, 32})),
                         case_name);

TEST(BlockedAttentionLimits, LeavesTheRestToLibTorch) {
  const auto x = torch::randn({1, 1, 4, 8});
  EXPECT_FALSE(blocked_attention(x.clone().requires_grad_(), x, x, {}, 1));  // gradients are on
  const torch::NoGradGuard no_grad;
  EXPECT_FALSE(blocked_attention(x.to(torch::kFloat64), x.to(torch::kFloat64), x.to(torch::kFloat64), {}, 1));
  EXPECT_FALSE(blocked_attention(x, x, x, torch::zeros({1, 1, 4, 4}), 1));  // a bias of each query
}

}  // namespace
}  // namespace sfumato
