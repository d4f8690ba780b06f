#include "core/random.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(NoiseSource, AnImagesNoiseDoesNotDependOnItsBatch) {
  NoiseSource alone({7});
  NoiseSource batch({3, 7});
  EXPECT_TRUE(torch::equal(alone.draw({4, 8, 8})[0], batch.draw({4, 8, 8})[1]));
  EXPECT_TRUE(torch::equal(alone.draw({4, 8, 8})[0], batch.draw({4, 8, 8})[1])) << "nor at the second draw";
}

TEST(NoiseSource, MatchesTorchManualSeed) {
  // print(torch.randn(3, generator=torch.Generator().manual_seed(0))) in Python
  const auto expected = torch::tensor({1.5409961F, -0.2934289F, -2.1787894F});
  EXPECT_TRUE(torch::allclose(NoiseSource({0}).draw({3})[0], expected, 0, 1e-6));
}

}  // namespace
}  // namespace sfumato
