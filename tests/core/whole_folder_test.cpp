#include "core/whole_folder.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "core/files.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

class WholeFolder : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(scratch_);
    fs::create_directories(folder_ / "part");
    put(folder_ / "own.txt", "own");
    put(folder_ / "part" / "a.txt", "before");
  }

  static void put(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static bool write(const fs::path& folder) {
    fs::create_directories(folder / "part" / "more");
    put(folder / "part" / "a.txt", "after");
    put(folder / "part" / "more" / "b.txt", "b");
    return true;
  }
  void expect_as_before() const {
    EXPECT_EQ(read_file(folder_ / "own.txt"), "own");
    EXPECT_EQ(read_file(folder_ / "part" / "a.txt"), "before");
    EXPECT_FALSE(fs::exists(folder_ / "part" / "more"));
    expect_alone();
  }
  void expect_alone() const { EXPECT_EQ(std::distance(fs::directory_iterator(scratch_), fs::directory_iterator()), 1); }

  fs::path scratch_ = fs::path(testing::TempDir()) / "sfumato_whole_folder", folder_ = scratch_ / "folder";
};

TEST_F(WholeFolder, ReplacesAFolder) {
  EXPECT_TRUE(write_whole_folder(folder_, write));
  EXPECT_FALSE(fs::exists(folder_ / "own.txt"));
  EXPECT_EQ(read_file(folder_ / "part" / "a.txt"), "after");
  expect_alone();
}

TEST_F(WholeFolder, WritesIntoAFolderBesideOtherFiles) {
  EXPECT_TRUE(write_into_folder(folder_ / "", write));  // with a slash at its end
  EXPECT_EQ(read_file(folder_ / "own.txt"), "own");
  EXPECT_EQ(read_file(folder_ / "part" / "a.txt"), "after");
  EXPECT_EQ(read_file(folder_ / "part" / "more" / "b.txt"), "b");
  expect_alone();
}

TEST_F(WholeFolder, ChangesNothingWhereWritingEndsEarlyOrFails) {
  for (const auto& written : {write_whole_folder, write_into_folder}) {
    EXPECT_FALSE(written(folder_, [](const fs::path& folder) { return !write(folder); }));
    expect_as_before();
    const auto fail = [](const fs::path& folder) -> bool { throw std::runtime_error((write(folder), "full")); };
    EXPECT_THROW(written(folder_, fail), std::runtime_error);
    expect_as_before();
  }
}

TEST_F(WholeFolder, AFailureNamesTheFolderAndNotTheTemporaryOne) {
  const auto message_of = [&](const auto& fill) -> std::string {
    try {
      write_whole_folder(folder_ / "", fill);
    } catch (const std::system_error& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  const auto full = [](const fs::path& folder) -> bool {
    throw std::system_error(ENOSPC, std::generic_category(),
                            "cannot write '" + (folder / "part" / "a.txt").string() + "'");
  };
  EXPECT_EQ(message_of(full), "cannot write '" + (folder_ / "part" / "a.txt").string() + "': No space left on device");
  const auto made = [](const fs::path& folder) {
    return put(folder, "a file"), fs::create_directories(folder / "part");
  };
  EXPECT_EQ(message_of(made), "cannot write '" + (folder_ / "part").string() + "': Not a directory");
}

TEST_F(WholeFolder, HasNamesAsLongAsTheFileSystemAllows) {
  const auto longest = scratch_ / std::string(255, 'n');
  EXPECT_TRUE(write_whole_folder(longest, write));
  EXPECT_EQ(read_file(longest / "part" / "a.txt"), "after");
  fs::remove_all(longest);
  expect_alone();
}

}  // namespace
}  // namespace sfumato
