#include "core/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace sfumato {
namespace {

TEST(Duration, IsWrittenInItsTwoLargestUnits) {
  EXPECT_EQ(duration_string(0.2), "0s");
  EXPECT_EQ(duration_string(59.6), "1m00s");
  EXPECT_EQ(duration_string(75), "1m15s");
  EXPECT_EQ(duration_string(3700), "1h01m");
  EXPECT_EQ(duration_string(100'000), "1d03h");
}

TEST(ProgressLine, ShowsRateAndTimeLeft) {
  const ProgressState state{.label = "sampling", .done = 8, .total = 20, .rate = 2, .seconds = 4, .note = "seed 3"};
  EXPECT_EQ(progress_line(state, true), "sampling  40% [########............] 8/20  2.00 it/s  6s left  seed 3");
  EXPECT_EQ(progress_line(state, false), "sampling  40% 8/20  2.00 it/s  6s left  seed 3");
}

TEST(ProgressLine, ShowsSecondsAnIterationWhenSlow) {
  EXPECT_EQ(progress_line({.label = "x", .done = 1, .total = 3, .rate = 0.25, .seconds = 4}, false),
            "x  33% 1/3  4.00 s/it  8s left");
}

TEST(ProgressLine, ShowsTheTimeTakenAtTheEnd) {
  EXPECT_EQ(progress_line({.label = "x", .done = 3, .total = 3, .rate = 3, .seconds = 1}, false),
            "x 100% 3/3  3.00 it/s  1s");
}

TEST(ProgressLine, DoesWithoutATotalAndWithoutARate) {
  EXPECT_EQ(progress_line({.label = "x", .done = 3}, true), "x 3");
  EXPECT_EQ(progress_line({.label = "x", .done = 9, .total = 3}, true), "x 100% [####################] 9/3");
}

TEST(Progress, DrawsOverOneLineOnATerminal) {
  std::ostringstream out;
  Progress progress("x", 1000, ProgressStyle::kTerminal, 0, out);
  for (int i = 1; i <= 1000; ++i) progress.update(i);
  progress.finish();
  const auto text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_NE(text.find("1000/1000"), std::string::npos);
  EXPECT_LT(std::count(text.begin(), text.end(), '\r'), 100) << "not a line an iteration";
}

TEST(Progress, WritesWholeLinesElsewhereAndFew) {
  std::ostringstream out;
  Progress progress("x", 1000, ProgressStyle::kPlain, 0, out);
  for (int i = 1; i <= 1000; ++i) progress.update(i);
  progress.finish();
  progress.update(5);
  progress.finish();
  const auto text = out.str();
  EXPECT_EQ(text.find("x 100% 1000/1000"), 0U) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(Progress, IsSilentWhenQuiet) {
  std::ostringstream out;
  {
    Progress progress("x", 10, ProgressStyle::kQuiet, 0, out);
    progress.update(1);
    progress.finish();
  }
  EXPECT_EQ(out.str(), "");
}

TEST(Progress, EndsAHalfDrawnLineWhenItGoes) {
  std::ostringstream out;
  { Progress("x", 10, ProgressStyle::kTerminal, 0, out).update(1); }
  EXPECT_EQ(out.str().back(), '\n');
}

}  // namespace
}  // namespace sfumato
