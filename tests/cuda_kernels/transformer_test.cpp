#include "elements.h"

namespace sfumato {
namespace {

template <class T>
class GegluKernel : public testing::Test {
 protected:
  /// The greatest distance from the exact twin in units of what is allowed; `other_gate` computes x Phi(1.1 x).
  static double worst_of(long long rows, long long channels, bool with_bias, long long offset,
                         bool other_gate = false) {
    auto input = normal<T>(rows * 2 * channels, 1, 0, 1.5, offset), bias = normal<T>(2 * channels, 2);
    Tensor<T> y(rows * channels);
    const SfumatoGeglu call{.input = input.data(),
                            .bias = with_bias ? bias.data() : nullptr,
                            .y = y.data(),
                            .rows = rows,
                            .channels = channels,
                            .dtype = dtype_of<T>()};
    if (sfumato_cuda_geglu(&call, nullptr) != 0) return std::nan("");
    std::vector<Exact> exact;
    for (long long i = 0; i < rows * channels; ++i) {
      const auto place = i / channels * 2 * channels + i % channels;
      const double value = input[place] + (with_bias ? bias[i % channels] : 0);
      const double gate = input[place + channels] + (with_bias ? bias[channels + i % channels] : 0);
      const double phi = std::erfc(-gate * (other_gate ? 1.1 : 1) / std::sqrt(2)) / 2;
      exact.push_back({.y = value * gate * phi, .magnitude = std::abs(value * gate)});
    }
    return worst(y, exact);
  }
};
TYPED_TEST_SUITE(GegluKernel, ElementTypes);

TYPED_TEST(GegluKernel, IsNearItsExactTwin) {
  for (const bool with_bias : {false, true})
    for (const long long channels : {1, 5, 8, 24, 203})
      EXPECT_LE(this->worst_of(3, channels, with_bias, 0), 1) << channels << with_bias;
  EXPECT_LE(this->worst_of(70, 40, true, 0), 1);
  EXPECT_LE(this->worst_of(5, 16, true, 1), 1) << "not aligned";
}

TYPED_TEST(GegluKernel, ComparisonSeesAnotherGate) {
  EXPECT_GT(this->worst_of(5, 16, true, 0, true), 2);
}

template <class T>
class LayerNormKernel : public testing::Test {
 protected:
  struct Distances {
    double sum, y;
  };
  /// The greatest distances from the exact twin in units of what is allowed. `eps` is the twin's.
  static Distances worst_of(long long rows, long long channels, long long offset, double eps = 1e-5) {
    auto x = normal<T>(rows * channels, 1, 3, 1, offset), residual = normal<T>(rows * channels, 2);
    auto weight = normal<T>(channels, 3, 1, 0.5), bias = normal<T>(channels, 4);
    Tensor<T> sum(rows * channels), y(rows * channels);
    const SfumatoLayerNorm call{.x = x.data(),
                                .residual = residual.data(),
                                .weight = weight.data(),
                                .bias = bias.data(),
                                .sum = sum.data(),
                                .y = y.data(),
                                .rows = rows,
                                .channels = channels,
                                .eps = 1e-5,
                                .dtype = dtype_of<T>()};
    if (sfumato_cuda_layer_norm(&call, nullptr) != 0) return {.sum = std::nan(""), .y = std::nan("")};
    std::vector<Exact> sums, normalised;
    for (long long i = 0; i < rows * channels; ++i)
      sums.push_back({.y = x[i] + residual[i], .magnitude = std::abs(x[i]) + std::abs(residual[i])});
    for (long long row = 0; row < rows; ++row) {
      double mean = 0, variance = 0;
      const auto at = [&](long long c) { return sum[row * channels + c]; };
      for (long long c = 0; c < channels; ++c) mean += at(c) / static_cast<double>(channels);
      for (long long c = 0; c < channels; ++c) variance += std::pow(at(c) - mean, 2) / static_cast<double>(channels);
      for (long long c = 0; c < channels; ++c) {
        const double factor = weight[c] / std::sqrt(variance + eps);
        normalised.push_back({.y = (at(c) - mean) * factor + bias[c],
                              .magnitude = (std::abs(at(c)) + std::abs(mean)) * std::abs(factor) + std::abs(bias[c])});
      }
    }
    return {.sum = worst(sum, sums), .y = worst(y, normalised)};
  }
};
TYPED_TEST_SUITE(LayerNormKernel, ElementTypes);

TYPED_TEST(LayerNormKernel, IsNearItsExactTwin) {
  for (const long long channels : {1, 7, 8, 40, 320, 333, 1288}) {
    const auto distances = this->worst_of(3, channels, 0);
    EXPECT_LE(distances.sum, 1) << channels;
    EXPECT_LE(distances.y, 1) << channels;
  }
  EXPECT_LE(this->worst_of(18, 16, 0).y, 1);
  EXPECT_LE(this->worst_of(3, 16, 1).y, 1) << "not aligned";
}

TYPED_TEST(LayerNormKernel, ComparisonSeesAnotherEps) {
  EXPECT_GT(this->worst_of(3, 40, 0, 0.1).y, 2);
}

TEST(TransformerKernels, RefuseShapesAndDtypesThatTheyDoNotTake) {
  const SfumatoGeglu geglu{.rows = 0, .channels = 4};
  EXPECT_EQ(sfumato_cuda_geglu(&geglu, nullptr), kSfumatoBadShape);
  const SfumatoGeglu long_geglu{.rows = 1LL << 31, .channels = 8};
  EXPECT_EQ(sfumato_cuda_geglu(&long_geglu, nullptr), kSfumatoBadShape);
  const SfumatoLayerNorm norm{.rows = 4, .channels = 0};
  EXPECT_EQ(sfumato_cuda_layer_norm(&norm, nullptr), kSfumatoBadShape);
  const SfumatoLayerNorm other{.rows = 4, .channels = 4, .dtype = -1};
  EXPECT_EQ(sfumato_cuda_layer_norm(&other, nullptr), kSfumatoBadDtype);
}

}  // namespace
}  // namespace sfumato
