#include "checkpoints/safetensors.h"

#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/save.h"

namespace sfumato {
namespace {

TEST(SaveWeights, WhatIsSavedInShardsLoadsByName) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "smoke";
  auto w = torch::randn({3, 4});
  save_weights({{"weight", w}, {"bias", torch::ones({3})}}, folder, {.max_shard_size = 20});
  torch::nn::Linear linear(4, 3);
  load_weights(*linear, folder, {});
  EXPECT_TRUE(torch::equal(linear->weight, w));
  try {
    torch::nn::BatchNorm2d other(5);
    load_weights(*other, folder, {});
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("3 missing"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace sfumato
