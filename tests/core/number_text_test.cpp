#include "core/number_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace sfumato {
namespace {

TEST(NumberText, IsAsShortAsItCanBe) {
  EXPECT_EQ(number_text(2), "2");
  EXPECT_EQ(number_text(-0.5), "-0.5");
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(std::stod(number_text(1.0 / 3)), 1.0 / 3);
}

TEST(NumberText, NamesWhatIsNoNumber) {
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(std::stod(number_text(-std::numeric_limits<double>::max())), -std::numeric_limits<double>::max());
}

}  // namespace
}  // namespace sfumato
