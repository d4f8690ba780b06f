#include "nn/packing.h"

#include <gtest/gtest.h>

#include "core/processor.h"
#include "core/random.h"
#include "nn/circular_padding.h"
#include "nn/init.h"
#include "nn/layers.h"
#include "nn/transformer.h"
#include "placements.h"

namespace sfumato {
namespace {

/// Compares networks before and after packing. Both sum in float32 and round once, so that sums in another order may
/// round to the neighbouring value: one unit of bfloat16 in the last place, twice roundoff.
class Packing : public testing::Test {
 protected:
  void SetUp() override {
    if (!packs_weights({.dtype = torch::kBFloat16})) GTEST_SKIP() << "no bfloat16 instructions";
  }

  template <class Network>
  Network prepared(Network network) const {
    initialize(*network, seeded_generator(1));
    network->to(torch::kBFloat16);
    make_channels_last(*network);
    return network;
  }
  static torch::Tensor normal(at::IntArrayRef shape) {
    return torch::randn(shape, seeded_generator(2), torch::kFloat32).to(torch::kBFloat16);
  }
  static torch::Tensor image(at::IntArrayRef shape) { return normal(shape).contiguous(at::MemoryFormat::ChannelsLast); }

  template <class Network>
  void expect_same(Network& network, const torch::Tensor& x, double roundings = 1) const {
    const auto expected = network->forward(x).to(torch::kFloat32);
    pack_weights(*network);
    EXPECT_LE(relative_error(network->forward(x), expected), 2 * roundings * roundoff(torch::kBFloat16));
    pack_weights(*network);  // has no effect
    EXPECT_LE(relative_error(network->forward(x), expected), 2 * roundings * roundoff(torch::kBFloat16));
  }

  torch::NoGradGuard no_gradients_;
};

TEST_F(Packing, LinearLayersOfAnyNumberOfRows) {
  for (const std::int64_t rows : {1, 2, 77, 300}) {
    auto with_bias = prepared(Linear(96, 80)), without = prepared(Linear(33, 17, false));
    expect_same(with_bias, normal({2, rows, 96}));
    expect_same(without, normal({rows, 33}));
  }
}

TEST_F(Packing, FeedForwardLayers) {
  auto gated = prepared(FeedForward(64)), plain = prepared(FeedForward(64, "gelu"));
  expect_same(gated, normal({2, 50, 64}), 4);
  expect_same(plain, normal({2, 50, 64}), 4);
}

TEST_F(Packing, ConvolutionsOfOnePixelAndWideOnes) {
  auto small = prepared(Conv2d(48, 32, 1)), wide = prepared(Conv2d(1280, 1296, 3, ConvOptions{.padding = 1})),
       strided = prepared(Conv2d(1280, 1280, 3, ConvOptions{.stride = 2, .padding = 1}));
  expect_same(small, image({2, 48, 5, 7}));
  expect_same(wide, image({2, 1280, 3, 5}));
  expect_same(strided, image({1, 1280, 6, 4}));
}

TEST_F(Packing, ConvolutionsWithCircularPadding) {
  auto convolution = prepared(Conv2d(1280, 1280, 3, ConvOptions{.padding = 1}));
  const CircularPadding circular;
  expect_same(convolution, image({1, 1280, 4, 3}));
}

TEST_F(Packing, NarrowConvolutionsKeepTheirWeightsForWinogradsProducts) {
  if (has_amx()) GTEST_SKIP() << "with AMX all are packed";
  auto convolution = prepared(Conv2d(64, 64, 3, ConvOptions{.padding = 1}));
  pack_weights(*convolution);
  EXPECT_FALSE(convolution->weight.isnan().any().item<bool>());
}

TEST_F(Packing, PlainWeightsAreFreedAndReadAsNan) {
  auto linear = prepared(Linear(32, 16));
  pack_weights(*linear);
  EXPECT_EQ(linear->weight.sizes(), torch::IntArrayRef({16, 32}));
  EXPECT_TRUE(linear->weight.isnan().all().item<bool>());
  EXPECT_EQ(linear->weight.storage().nbytes(), 2);
}

TEST_F(Packing, GradientsAndOtherDtypesAreRefused) {
  auto linear = prepared(Linear(32, 16));
  pack_weights(*linear);
  EXPECT_THROW(linear(torch::ones({2, 32})), c10::Error);
  const at::AutoGradMode gradients(true);
  EXPECT_THROW(linear(normal({2, 32}).requires_grad_()), c10::Error);
}

TEST(PackingOf, OtherPlacementsIsNotDone) {
  EXPECT_FALSE(packs_weights({}));
  EXPECT_FALSE(packs_weights({.dtype = torch::kFloat16}));
}

}  // namespace
}  // namespace sfumato
