#include "evaluation/judge.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(NamingCounts, CountsWhatTheLikeliestLabelsName) {
  const auto scores = torch::tensor({{9., 1., 2., 3., 4., 5., 6.},    // 0 is the likeliest, 1 the seventh
                                     {1., 9., 8., 0., 0., 0., 0.},    // 1 and 2
                                     {1., 9., 0., 8., 0., 0., 0.}});  // 1 and 3
  NamingCounts counts;
  counts.add(scores,
             torch::tensor({{1., 0., 0., 0., 0., 0., 0.}, {0., 1., 1., 0., 0., 0., 0.}, {0., 1., 1., 0., 0., 0., 0.}}));
  counts.add(scores.narrow(0, 0, 2), torch::tensor({{0., 0., 1., 0., 0., 0., 0.}, {0., 0., 1., 0., 0., 0., 0.}}));
  counts.add(scores.narrow(0, 0, 1), torch::tensor({{0., 1., 0., 0., 0., 0., 0.}}));
  EXPECT_EQ(counts.singles, 4);
  EXPECT_EQ(counts.top1, 1);  // the first alone: 2 is the sixth of the first row, the second of the second, 1 the last
  EXPECT_EQ(counts.top5, 2);
  EXPECT_EQ(counts.pairs, 2);
  EXPECT_EQ(counts.both, 1);
}

TEST(NamingCounts, LeavesOutRowsOfNoThingAndOfThree) {
  NamingCounts counts;
  counts.add(torch::rand({2, 4}), torch::tensor({{0., 0., 0., 0.}, {1., 1., 1., 0.}}));
  EXPECT_EQ(counts.singles + counts.pairs, 0);
}

}  // namespace
}  // namespace sfumato
