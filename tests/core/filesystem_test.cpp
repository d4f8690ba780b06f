#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sfumato {
namespace {

// libtorch.so exports its own std::filesystem; if the linker picks that one, this test crashes.
TEST(StdFilesystem, IsTheStandardLibrarysOwn) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "sfumato_filesystem_test";
  std::filesystem::create_directories(folder / "a" / "b");
  std::ofstream(folder / "a" / "file") << "x";
  EXPECT_EQ(std::filesystem::remove_all(folder), 4U);
}

}  // namespace
}  // namespace sfumato
