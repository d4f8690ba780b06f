#include "core/random.h"

#include <gtest/gtest.h>

#include "placements.h"

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

using NoiseSourceOnCuda = OnCuda;

TEST_F(NoiseSourceOnCuda, GivesTheNumbersOfTheCpuWithoutWaitingForTheDevice) {
  const auto like = torch::zeros({2, 4, 8, 8}, torch::dtype(torch::kBFloat16).device(device_));
  NoiseSource noise({3, 7}), same({3, 7});
  const auto first = [&] {
    const NoSynchronisation guard;
    EXPECT_THROW(like.sum().item(), c10::Error) << "the guard sees what waits";
    return noise.draw_like(like);
  }();
  EXPECT_TRUE(first.device() == device_ && first.scalar_type() == torch::kFloat32);
  EXPECT_TRUE(torch::equal(first.cpu(), same.draw({4, 8, 8})));
  EXPECT_TRUE(torch::equal(noise.draw_like(like).cpu(), same.draw({4, 8, 8}))) << "nor at the second draw";
}

}  // namespace
}  // namespace sfumato
