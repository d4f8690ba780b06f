#include "nn/layers.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "nn/init.h"

namespace sfumato {
namespace {

TEST(Initialize, TheSameSeedGivesTheSameWeights) {
  Linear a(8, 4), b(8, 4);
  initialize(*a, seeded_generator(1));
  initialize(*b, seeded_generator(1));
  EXPECT_TRUE(torch::equal(a->weight, b->weight));
  EXPECT_LE(a->weight.abs().max().item<float>(), 1 / std::sqrt(8.0F));
}

TEST(GroupNorm, RefusesChannelsThatDoNotDivide) {
  EXPECT_THROW(GroupNorm(3, 8, 1e-5), c10::Error);
}

}  // namespace
}  // namespace sfumato
