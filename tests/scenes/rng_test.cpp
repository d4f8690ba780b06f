#include "scenes/rng.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(Rng, RangesNarrowAroundTheirMiddleWithLessVariety) {
  Rng whole(1, 0), quarter(1, 0, .25), none(1, 0, 0);
  for (int i = 0; i < 20; ++i) {
    const double x = whole.uniform(2, 6);
    EXPECT_NEAR(quarter.uniform(2, 6), 4 + (x - 4) / 4, 1e-12);
    EXPECT_EQ(none.uniform(2, 6), 4);
  }
}

TEST(Rng, NothingIsVariedAtVarietyZero) {
  Rng none(1, 0, 0), whole(1, 0);
  int varied = 0;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(none.varied());
    varied += whole.varied();
  }
  EXPECT_NEAR(varied, 500, 80);  // five standard deviations of 1000 throws
}

}  // namespace
}  // namespace sfumato
