#include "core/sha256.h"

#include <gtest/gtest.h>

#include <fstream>

namespace sfumato {
namespace {

// FIPS 180-4's examples (NIST CSRC, "SHA-256 examples"), and a million letters a.
TEST(Sha256, GivesTheExamplesOfTheStandard) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFileFromAByteOn) {
  const auto path = std::filesystem::path(testing::TempDir()) / "sha256";
  std::ofstream(path, std::ios::binary) << "12345abc";
  EXPECT_EQ(sha256_of_file(path, 5), sha256("abc"));
  std::filesystem::remove(path);
  EXPECT_THROW(sha256_of_file(path), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
