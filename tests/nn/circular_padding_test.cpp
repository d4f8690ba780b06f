#include "nn/circular_padding.h"

#include <gtest/gtest.h>

#include <array>

#include "nn/layers.h"

namespace sfumato {
namespace {

// Compared with torch's convolution of padding_mode circular, for the strides and kernels of the networks.
TEST(CircularPadding, IsThatOfTorchWhileItLives) {
  const torch::NoGradGuard no_gradients;
  torch::manual_seed(1);
  for (const auto& [kernel, stride, padding] : {std::array{3, 1, 1}, std::array{3, 2, 1}, std::array{1, 1, 0}}) {
    Conv2d convolution(8, 8, kernel, ConvOptions{.stride = stride, .padding = padding});
    torch::nn::Conv2d reference(
        torch::nn::Conv2dOptions(8, 8, kernel).stride(stride).padding(padding).padding_mode(torch::kCircular));
    convolution->weight.set_data(reference->weight.detach());
    convolution->bias.set_data(reference->bias.detach());
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const auto x = torch::randn({2, 8, 6, 10}).contiguous(format);
      const auto zeros = convolution->forward(x);
      {
        const CircularPadding circular;
        EXPECT_TRUE(torch::allclose(convolution->forward(x), reference->forward(x), 1e-5, 1e-5));
      }
      EXPECT_TRUE(torch::equal(convolution->forward(x), zeros));
      EXPECT_EQ(torch::allclose(zeros, reference->forward(x), 1e-5, 1e-5), padding == 0);
    }
  }
}

}  // namespace
}  // namespace sfumato
