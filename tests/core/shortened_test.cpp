#include "core/shortened.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(Shortened, KeepsWhatFits) {
  EXPECT_EQ(shortened("cat", 3), "cat");
  EXPECT_EQ(shortened("", 0), "");
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(shortened("cats", 3), "cat...");
  EXPECT_EQ(shortened("caf\u00e9s", 4), "caf...");  // the fourth byte is the first of two
  EXPECT_EQ(shortened("\u732b\u732b", 5), "\u732b...");
}

}  // namespace
}  // namespace sfumato
