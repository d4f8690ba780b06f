#include "core/random.h"
#include "nn/compared.h"
#include "nn/init.h"
#include "nn/resnet.h"
#include "nn/transformer.h"

namespace sfumato {
namespace {

class LayersOn : public OnPlacement {
 protected:
  /// x [2, 32, 8, 8], channels-last.
  torch::Tensor image(const Placement& placement) const {
    return image_.to(placement.device, placement.dtype).contiguous(at::MemoryFormat::ChannelsLast);
  }
  /// Expects `network`, a map of images, to be near float32 on the CPU and to keep channels-last.
  template <class Network, class Forward>
  void expect_near(Network network, double layers, const Forward& forward) {
    initialize(*network, seeded_generator(2));
    const auto compared = compare(network, GetParam(), [&](const Placement& at) { return forward(network, at); });
    EXPECT_TRUE(compared.is_at(GetParam())) << compared.actual.options() << compared.actual.strides();
    EXPECT_LE(compared.error(), tolerance(GetParam().dtype, layers));
  }
  template <class Network>
  void expect_near(Network network, double layers) {
    expect_near(network, layers, [&](Network& net, const Placement& at) { return net->forward(image(at)); });
  }

 private:
  torch::Tensor image_ = torch::randn({2, 32, 8, 8}, seeded_generator(1), torch::kFloat32);
};

TEST_P(LayersOn, GroupNorm) {
  expect_near(GroupNorm(8, 32, 1e-5), 2);
}

TEST_P(LayersOn, Convolutions) {
  expect_near(Conv2d(32, 16, 3, ConvOptions{.padding = 1}), 2);
  expect_near(Conv2d(32, 16, 1), 2);
}

TEST_P(LayersOn, Resampling) {
  expect_near(Downsample2D(32), 2);
  expect_near(Downsample2D(32, 0), 2);
  expect_near(Upsample2D(32), 2);
}

TEST_P(LayersOn, ResnetBlock2D) {
  const auto temb = torch::randn({2, 16}, seeded_generator(3), torch::kFloat32);
  const ResnetOptions options{.temb_channels = 16, .groups = 8};
  expect_near(ResnetBlock2D(32, 64, options), 6, [&](auto& block, const Placement& at) {
    return block->forward(image(at), temb.to(at.device, at.dtype));
  });
}

TEST_P(LayersOn, Transformer2DModel) {
  const auto states = torch::randn({2, 7, 24}, seeded_generator(3), torch::kFloat32);
  for (const bool linear : {false, true}) {
    const TransformerOptions options{.num_attention_heads = 4,
                                     .attention_head_dim = 8,
                                     .cross_attention_dim = 24,
                                     .norm_num_groups = 8,
                                     .use_linear_projection = linear};
    expect_near(Transformer2DModel(32, options), 12, [&](auto& model, const Placement& at) {
      CrossAttention cross;
      cross.encoder_hidden_states = states.to(at.device, at.dtype);
      return model->forward(image(at), cross);
    });
  }
}

TEST_P(LayersOn, AttentionHidesWhatTheMaskHides) {
  Attention attention(AttentionOptions{.query_dim = 32, .cross_attention_dim = 24, .heads = 4, .dim_head = 8});
  initialize(*attention, seeded_generator(1));
  const auto x = torch::randn({2, 9, 32}, seeded_generator(2), torch::kFloat32);
  const auto states = torch::randn({2, 5, 24}, seeded_generator(3), torch::kFloat32);
  const auto bias = torch::tensor({0.F, 0.F, 0.F, 0.F, -10000.F}).reshape({1, 1, 1, 5});
  const auto compared = compare(attention, GetParam(), [&](const Placement& at) {
    const auto placed = [&](const torch::Tensor& tensor) { return tensor.to(at.device, at.dtype); };
    const bool standard = at.device.is_cpu() && at.dtype == torch::kFloat32;
    return standard ? attention->forward({.x = x, .states = states.narrow(1, 0, 4)})
                    : attention->forward({.x = placed(x), .states = placed(states), .bias = placed(bias)});
  });
  EXPECT_LE(compared.error(), tolerance(GetParam().dtype, 5));
}

INSTANTIATE_TEST_SUITE_P(Placements, LayersOn, testing::ValuesIn(placements()), placement_name);

}  // namespace
}  // namespace sfumato
