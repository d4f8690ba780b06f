#include "nn/normed_convolution.h"

#include "core/random.h"
#include "nn/circular_padding.h"
#include "nn/init.h"
#include "nn/resnet.h"
#include "placements.h"

namespace sfumato {
namespace {

torch::Tensor odd_image(std::int64_t channels, std::uint64_t seed) {
  // More than the 64 tiles from which Winograd pays; sides that are no multiple of a tile.
  return torch::randn({2, channels, 27, 26}, seeded_generator(seed), torch::kFloat32)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

/// Norms of random weights, which a mistake cannot leave unseen, and convolutions in the kernels' memory format.
template <class Network>
Network ready(Network network) {
  initialize(*network, seeded_generator(1));
  const torch::NoGradGuard no_grad;
  for (auto& parameter : network->named_parameters())
    if (parameter.key().find("norm") != std::string::npos) parameter.value().add_(torch::rand_like(parameter.value()));
  make_channels_last(*network);
  return network;
}

/// Relative error of inference in float32 to LibTorch's operators, which compute float64. `forward` takes the dtype.
template <class Network, class Forward>
double error_of_inference(Network& network, const Forward& forward) {
  const torch::NoGradGuard no_grad;
  network->to(torch::kFloat64);
  const auto expected = forward(torch::kFloat64);
  network->to(torch::kFloat32);
  return relative_error(forward(torch::kFloat32), expected);
}

class ResnetBlockKernels : public testing::TestWithParam<std::tuple<std::string, std::string, std::int64_t, Resample>> {
};

// Six layers in float32: two norms, two convolutions, the time embedding and the shortcut.
TEST_P(ResnetBlockKernels, AgreeWithLibTorch) {
  const auto [time, activation, channels, resample] = GetParam();
  const ResnetOptions options{
      .temb_channels = 8, .groups = 4, .non_linearity = activation, .time_embedding_norm = time};
  auto block = ready(ResnetBlock2D(32, channels, options, resample));
  const auto x = odd_image(32, 2), temb = torch::randn({2, 8}, seeded_generator(3), torch::kFloat32);
  const auto before = x.clone();
  EXPECT_LE(error_of_inference(block, [&](auto dtype) { return block(x.to(dtype), temb.to(dtype)); }),
            tolerance(torch::kFloat32, 6));
  EXPECT_TRUE(torch::equal(x, before)) << "the caller's image has changed";
}

INSTANTIATE_TEST_SUITE_P(Blocks, ResnetBlockKernels,
                         testing::Combine(testing::Values("default", "scale_shift"), testing::Values("silu", "gelu"),
                                          testing::Values(32, 48),
                                          testing::Values(Resample::kNone, Resample::kUp, Resample::kDown)));

TEST(Upsample2DKernels, AgreeWithLibTorchAtEitherSize) {
  auto upsample = ready(Upsample2D(32));
  const auto x = odd_image(32, 2);
  EXPECT_LE(error_of_inference(upsample, [&](auto dtype) { return upsample(x.to(dtype)); }),
            tolerance(torch::kFloat32, 1));
  EXPECT_LE(error_of_inference(upsample,
                               [&](auto dtype) {
                                 return upsample(x.to(dtype), SpatialSize{53, 51});
                               }),
            tolerance(torch::kFloat32, 1));
}

class NormedConvolution : public testing::Test {
 protected:
  torch::Tensor in_one_call() { return normed_convolution(norm_, {.silu = true}, conv_, x_, added_); }
  torch::Tensor in_steps() { return conv_(norm_->forward_fused(x_, {.silu = true})) + added_; }

  const torch::NoGradGuard no_grad_;
  torch::Tensor x_ = odd_image(32, 2), added_ = odd_image(32, 3);
  GroupNorm norm_ = ready(GroupNorm(4, 32, 1e-5));
  Conv2d conv_ = ready(Conv2d(32, 32, 3, ConvOptions{.padding = 1}));
};

TEST_F(NormedConvolution, IsTheNormThenTheConvolution) {
  const auto added = added_.clone();
  EXPECT_LE(relative_error(in_one_call(), in_steps()), tolerance(torch::kFloat32, 2));
  EXPECT_TRUE(torch::equal(added_, added)) << "the summand has changed";
}

TEST_F(NormedConvolution, PadsWithTheOppositeEdge) {
  const auto with_zeros = in_one_call();
  const CircularPadding circular;
  EXPECT_TRUE(torch::equal(in_one_call(), in_steps()));
  EXPECT_GT(relative_error(in_one_call(), with_zeros), 0.01);
}

TEST_F(NormedConvolution, UsesSharedStatistics) {
  const auto whole = x_ * 3 + 1, own = in_one_call();
  const SharedStatistics shared([&] { norm_(whole); });
  EXPECT_TRUE(torch::equal(in_one_call(), in_steps()));
  EXPECT_GT(relative_error(in_one_call(), own), 0.1);
}

}  // namespace
}  // namespace sfumato
