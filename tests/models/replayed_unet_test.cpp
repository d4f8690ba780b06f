#include "models/replayed_unet.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "host_graphs.h"
#include "nn/circular_padding.h"
#include "nn/init.h"
#include "small_unet.h"

namespace sfumato {
namespace {

torch::Tensor standard_normal(at::IntArrayRef shape, std::uint64_t seed) {
  return torch::randn(shape, seeded_generator(seed), torch::kFloat32);
}

constexpr std::size_t kDownResiduals = 4;  // of conv_in, two resnets and a downsampler

class ReplayedUNetOnHost : public testing::Test {
 protected:
  ReplayedUNetOnHost() {
    initialize(*unet_, seeded_generator(1));
    unet_->eval();
  }

  /// Returns an input at another timestep and with other noise for each `call`.
  UNet2DConditionInput input(std::int64_t call) const {
    UNet2DConditionInput input;
    input.sample = standard_normal({2, 4, 8, 8}, 10 + static_cast<std::uint64_t>(call));
    input.timestep = torch::full({1}, 900 - 100 * call, torch::kFloat32);
    input.encoder_hidden_states = standard_normal({2, 5, 16}, 3);
    return input;
  }

  torch::NoGradGuard no_gradients_;
  UNet2DConditionModel unet_{small_unet_config()};
  std::shared_ptr<HostGraphs> graphs_ = std::make_shared<HostGraphs>();
  ReplayedUNet replayed_{unet_.ptr(), {graphs_, "host graphs"}};
};

TEST_F(ReplayedUNetOnHost, ReplaysEveryInputOfTheNetwork) {
  for (int call = 0; call < 3; ++call) {
    auto given = input(call);
    given.encoder_attention_mask = torch::ones({2, 5});
    given.encoder_attention_mask.slice(1, 2 + call).zero_();
    given.mid_block_additional_residual = torch::full({1}, 0.1 * call);
    EXPECT_TRUE(replayed_.forward(given).equal(unet_->forward(given))) << call;
  }
  EXPECT_EQ(graphs_->replays, 2);
}

TEST_F(ReplayedUNetOnHost, ResidualsOfTheDownBlocksKeepTheirOrder) {
  for (int call = 0; call < 3; ++call) {
    auto given = input(call);
    for (std::size_t i = 0; i < kDownResiduals; ++i)
      given.down_block_additional_residuals.push_back(torch::full({1}, 0.1 * call * static_cast<double>(i)));
    EXPECT_TRUE(replayed_.forward(given).equal(unet_->forward(given))) << call;
  }
  EXPECT_EQ(graphs_->replays, 2);
}

TEST_F(ReplayedUNetOnHost, ReplaysKeysAndValuesOfTheText) {
  const auto states = standard_normal({2, 5, 16}, 5);
  const auto of_text = unet_->text_keys_values(states), of_other = unet_->text_keys_values(states.flip(0));
  ASSERT_EQ(of_text.size(), 4U);  // one on the way down, one in the middle, two on the way up
  for (int call = 0; call < 4; ++call) {
    auto given = input(call);
    given.text_keys_values = call < 3 ? of_text : of_other;
    for (std::size_t i = 0; i < kDownResiduals; ++i)
      given.down_block_additional_residuals.push_back(torch::full({1}, 0.1 * call));
    const auto expected = unet_->forward(given);
    EXPECT_TRUE(replayed_.forward(given).equal(expected)) << call;
    given.text_keys_values.clear();
    given.encoder_hidden_states = call < 3 ? states : states.flip(0);
    EXPECT_TRUE(torch::allclose(unet_->forward(given), expected, 1e-4, 1e-5)) << call;  // some layers in float32
  }
  EXPECT_EQ(graphs_->replays, 3);
}

TEST_F(ReplayedUNetOnHost, CallsTheNetworkWhereItsOperationsDependOnMore) {
  const CircularPadding circular;
  for (int call = 0; call < 3; ++call) EXPECT_TRUE(replayed_.forward(input(call)).equal(unet_->forward(input(call))));
  EXPECT_EQ(graphs_->warm_ups + graphs_->records, 0);
}

}  // namespace
}  // namespace sfumato
