#include <gtest/gtest.h>

#include "training/grid.h"
#include "training/randomness.h"

namespace sfumato {
namespace {

TEST(ShuffledOrder, EveryEpochVisitsEachExampleOnceInAnOrderOfItsOwn) {
  ShuffledOrder order(5, 6, 4);  // three batches of four are two epochs of six
  const auto both = torch::cat({order.batch(0), order.batch(1), order.batch(2)});
  const auto first = both.narrow(0, 0, 6), second = both.narrow(0, 6, 6);
  const auto all = torch::arange(6);
  EXPECT_TRUE(torch::equal(std::get<0>(first.sort()), all));
  EXPECT_TRUE(torch::equal(std::get<0>(second.sort()), all));
  EXPECT_FALSE(torch::equal(first, second));
}

TEST(ShuffledOrder, AnExampleThatStandsTwiceIsSeenTwiceAnEpoch) {
  const auto epoch = ShuffledOrder(5, torch::tensor({7, 9, 9}, torch::kInt64), 3).batch(0);
  EXPECT_TRUE(torch::equal(std::get<0>(epoch.sort()), torch::tensor({7, 9, 9}, torch::kInt64)));
}

TEST(ShuffledOrder, ABatchDependsOnItsStepAlone) {
  ShuffledOrder visited(5, 100, 7), fresh(5, 100, 7);
  for (int step = 0; step < 40; ++step) visited.batch(step);
  EXPECT_TRUE(torch::equal(visited.batch(40), fresh.batch(40)));
}

TEST(ShuffledOrder, ABatchMayBeLargerThanTheData) {
  EXPECT_EQ(ShuffledOrder(1, 3, 8).batch(0).size(0), 8);
}

TEST(GeneratorFor, DiffersBetweenSeedsStreamsAndSteps) {
  const auto draw = [](std::uint64_t seed, Stream stream, std::uint64_t index) {
    return torch::randn({1}, generator_for(seed, stream, index)).item<float>();
  };
  const auto value = draw(0, Stream::kStep, 0);
  EXPECT_EQ(value, draw(0, Stream::kStep, 0));
  EXPECT_NE(value, draw(1, Stream::kStep, 0));
  EXPECT_NE(value, draw(0, Stream::kOrder, 0));
  EXPECT_NE(value, draw(0, Stream::kStep, 1));
}

TEST(MakeGrid, LaysImagesOutInRows) {
  const auto images =
      torch::stack({torch::full({3, 1, 1}, -1.0), torch::full({3, 1, 1}, 1.0), torch::zeros({3, 1, 1})});
  const auto grid = make_grid(images, 2);
  EXPECT_EQ(grid.sizes(), (std::vector<std::int64_t>{2, 2, 3}));
  EXPECT_EQ(grid[0][0][0].item<int>(), 0);
  EXPECT_EQ(grid[0][1][2].item<int>(), 255);
  EXPECT_EQ(grid[1][0][1].item<int>(), 128);
  EXPECT_EQ(grid[1][1][1].item<int>(), 0) << "a gap is black";
}

}  // namespace
}  // namespace sfumato
