#include "core/base64.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

// RFC 4648, section 10.
TEST(Base64, DecodesTheExamplesOfItsStandard) {
  EXPECT_EQ(from_base64("", "text"), "");
  EXPECT_EQ(from_base64("Zg==", "text"), "f");
  EXPECT_EQ(from_base64("Zm8=", "text"), "fo");
  EXPECT_EQ(from_base64("Zm9v", "text"), "foo");
  EXPECT_EQ(from_base64("Zm9vYmFy", "text"), "foobar");
  EXPECT_EQ(from_base64("+/8=", "text"), "\xfb\xff");
}

TEST(Base64, AnotherCharacterIsRefusedWithTheNameOfTheText) {
  EXPECT_THROW(
      {
        try {
          from_base64("Zm9*", "its chunk");
        } catch (const std::runtime_error& error) {
          EXPECT_STREQ(error.what(), "its chunk is not base64");
          throw;
        }
      },
      std::runtime_error);
}

}  // namespace
}  // namespace sfumato
