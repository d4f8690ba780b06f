#include "training/randomness.h"
#include "training/small_task.h"

namespace sfumato {
namespace {

using Dropout = SmallTask;

/// Loss of batch number `step`, with the dropout of that step.
torch::Tensor loss_of(Task& task, std::int64_t step) {
  seed_dropout(0, static_cast<std::uint64_t>(step));
  return task.objective().loss(task.loader().batch(step));
}

// So that a resumed run equals an uninterrupted one.
TEST_F(Dropout, IsAFunctionOfTheStep) {
  const auto task = this->task(0.5);
  const auto third = loss_of(*task, 3);
  EXPECT_FALSE(torch::equal(loss_of(*task, 4), third));
  torch::rand({10});  // other code may draw too
  EXPECT_TRUE(torch::equal(loss_of(*task, 3), third));
  EXPECT_FALSE(torch::equal(loss_of(*this->task(0), 3), third)) << "it acts";
}

TEST_F(Dropout, IsLeftOutWhereARunIsLookedAt) {
  const auto with = task(0.5), without = task(0);
  EXPECT_EQ(with->evaluate(0), without->evaluate(0));
  EXPECT_TRUE(torch::equal(with->sample_grid(), without->sample_grid()));
  EXPECT_FALSE(torch::equal(loss_of(*with, 0), loss_of(*without, 0))) << "and is back";
}

}  // namespace
}  // namespace sfumato
