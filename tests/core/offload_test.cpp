#include "core/offload.h"

#include <gtest/gtest.h>

#include <optional>

namespace sfumato {
namespace {

class Offload : public testing::Test {
 protected:
  torch::nn::Linear network_{3, 2};
  torch::Tensor weight_ = network_->weight.detach();  // the same memory
  OffloadedWeights offloaded_{*network_, torch::kCPU};

  /// True if the network computes with its own weights, not with copies.
  bool is_at_rest() const { return network_->weight.const_data_ptr() == weight_.const_data_ptr(); }
};

TEST_F(Offload, WeightsAreCopiesDuringTheGuardAlone) {
  EXPECT_TRUE(is_at_rest());
  {
    const OffloadedWeights::OnDevice on_device(&offloaded_);
    EXPECT_FALSE(is_at_rest());
    EXPECT_TRUE(network_->weight.equal(weight_));
  }
  EXPECT_TRUE(is_at_rest());
}

TEST_F(Offload, TheLastOfSeveralGuardsReturnsTheWeights) {
  std::optional<OffloadedWeights::OnDevice> first(std::in_place, &offloaded_), second(std::in_place, &offloaded_);
  const auto* copy = network_->weight.const_data_ptr();
  first.reset();
  EXPECT_EQ(network_->weight.const_data_ptr(), copy);
  second.reset();
  EXPECT_TRUE(is_at_rest());
}

TEST_F(Offload, ChangesBetweenTwoGuardsAreUsedByTheSecond) {
  { const OffloadedWeights::OnDevice on_device(&offloaded_); }
  network_->weight.set_data(torch::ones({2, 3}));
  const OffloadedWeights::OnDevice on_device(&offloaded_);
  EXPECT_TRUE(network_->weight.equal(torch::ones({2, 3})));
}

TEST_F(Offload, ItHasNoEffectForWeightsThatAreNotOffloaded) {
  const OffloadedWeights::OnDevice on_device(nullptr);
  EXPECT_TRUE(is_at_rest());
}

}  // namespace
}  // namespace sfumato
