#include "core/writable.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace sfumato {
namespace {

namespace fs = std::filesystem;

class Writable : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  template <class Check>
  static std::string refusal_of(const Check& check) {
    try {
      check();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  }
  static std::string refusal(const fs::path& path, bool force = false) {
    return refusal_of([&] { check_writable(path, force); });
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("sfumato-writable-" + std::to_string(::getpid()) +
                                                     testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Writable, AFileOrFolderThatCouldBeMadeLeavesNothing) {
  EXPECT_EQ(refusal(folder_ / "a.png"), "");
  EXPECT_EQ(refusal(folder_ / "new" / "folder" / "a.png"), "");
  EXPECT_EQ(refusal_of([&] { check_writable_folder(folder_ / "new"); }), "");
  EXPECT_EQ(refusal_of([&] { check_writable_folder(folder_); }), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 0);
}

TEST_F(Writable, WhatIsThereIsNamed) {
  std::ofstream(folder_ / "a.png") << "mine";
  EXPECT_EQ(refusal(folder_ / "a.png"),
            "output '" + (folder_ / "a.png").string() + "': exists already (--force overwrites it)");
  EXPECT_EQ(refusal(folder_ / "a.png", /*force=*/true), "");
  EXPECT_NE(refusal(folder_).find("is a folder"), std::string::npos);
  const auto within = "'" + (folder_ / "a.png").string() + "' is no folder";
  EXPECT_NE(refusal(folder_ / "a.png" / "b.png").find(within), std::string::npos);
  EXPECT_NE(refusal_of([&] { check_writable_folder(folder_ / "a.png"); }).find(within), std::string::npos);
  EXPECT_NE(refusal_of([&] { check_writable_folder(folder_ / "a.png" / "run"); }).find(within), std::string::npos);
}

TEST_F(Writable, ANameMayBeAsLongAsTheFileSystemAllows) {
  const auto folder = folder_ / "new";
  EXPECT_EQ(refusal(folder_ / std::string(255, 'n')), "");
  EXPECT_EQ(refusal(folder / std::string(255, 'n')), "");
  for (const auto& parent : {folder_, folder})
    EXPECT_NE(refusal(parent / std::string(256, 'n')).find("cannot be written: File name too long"), std::string::npos);
}

TEST_F(Writable, APlaceThatTakesNoFilesIsRefused) {
  EXPECT_NE(refusal("/proc/a.png").find("cannot be written: "), std::string::npos);
  EXPECT_NE(refusal_of([] { check_writable_folder("/proc/run"); }).find("cannot be written: "), std::string::npos);
}

}  // namespace
}  // namespace sfumato
