#include "core/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "core/temporary_name.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Returns an empty folder for the running test alone.
fs::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  auto folder = fs::path(testing::TempDir()) / "sfumato_core" / test->name();
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

std::size_t file_count(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Message of the exception that `action` throws.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

void put(const fs::path& path, const std::string& text) {
  write_file_atomically(path, [&](std::ostream& out) { out << text; });
}

TEST(WriteFile, ReplacesAFileAndMakesItsFolders) {
  const auto path = fresh_folder() / "a" / "b" / "file";
  put(path, "one");
  put(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_EQ(file_count(path.parent_path()), 1U) << "no temporary file stays";
}

TEST(WriteFile, KeepsTheOldFileWhereTheWriterThrows) {
  const auto path = fresh_folder() / "file";
  put(path, "old");
  const auto broken = [&] {
    write_file_atomically(path, [](std::ostream& out) {
      out << "half of it";
      throw std::runtime_error("interrupted");
    });
  };
  EXPECT_EQ(error_of(broken), "interrupted");
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(file_count(path.parent_path()), 1U);
}

TEST(WriteFile, TakesNamesAsLongAsTheFileSystemAllows) {
  const auto folder = fresh_folder();
  for (const auto& name : {std::string(251, 'n'), std::string(255, 'n')}) {
    put(folder / name, "text");
    EXPECT_EQ(read_file(folder / name), "text");
  }
  EXPECT_EQ(file_count(folder), 2U);
}

TEST(TemporaryName, IsCutBetweenCharacters) {
  std::string letters;
  for (int i = 0; i < 85; ++i) letters += "\u20AC";  // three bytes each: 255
  const auto own = [](const fs::path& temporary) {
    const auto name = temporary.filename().string();
    EXPECT_LE(name.size(), 255U);
    return name.substr(0, name.find('.')).size();
  };
  for (const auto* extension : {"", ".a", ".ab"})
    EXPECT_EQ(own(temporary_name("folder/" + letters, extension)) % 3, 0U);
  EXPECT_EQ(temporary_name("folder/a.png").parent_path(), "folder");
  EXPECT_TRUE(temporary_name("a.png", ".mp4").string().starts_with("a.png."));
}

TEST(WriteFile, SaysWhyWhereTheParentIsAFile) {
  const auto folder = fresh_folder();
  put(folder / "file", "x");
  const auto message = error_of([&] { put(folder / "file" / "below", "y"); });
  EXPECT_NE(message.find("Not a directory"), std::string::npos) << message;
  EXPECT_EQ(file_count(folder), 1U);
}

TEST(WriteFile, SaysWhyWhereTheNameIsAFolders) {
  const auto folder = fresh_folder();
  fs::create_directories(folder / "name" / "full");
  const auto message = error_of([&] { put(folder / "name", "y"); });
  EXPECT_NE(message.find((folder / "name").string() + "'"), std::string::npos) << message;
  EXPECT_EQ(message.find(kTemporarySuffix), std::string::npos) << message;
  EXPECT_EQ(file_count(folder), 1U);
}

/// Limits the size of files to `bytes` during its lifetime, which imitates a full disk.
class SizeLimit {
 public:
  explicit SizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SizeLimit(const SizeLimit&) = delete;
  SizeLimit& operator=(const SizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(WriteFile, LeavesNothingWhereTheDiskTakesNoMore) {
  const auto folder = fresh_folder();
  for (const std::size_t size : {5000U, 50U}) {  // fails within write, and in close
    const SizeLimit limit(size / 10);
    const auto message = error_of([&] { put(folder / "file", std::string(size, 'x')); });
    EXPECT_NE(message.find("cannot write '" + (folder / "file").string() + "': File too large"), std::string::npos)
        << message;
  }
  EXPECT_EQ(file_count(folder), 0U);
}

TEST(ReadFile, SaysWhyItCannot) {
  const auto folder = fresh_folder();
  EXPECT_EQ(error_of([&] { read_file(folder / "no"); }),
            "cannot read '" + (folder / "no").string() + "': No such file or directory");
  EXPECT_EQ(error_of([&] { read_file(folder); }), "cannot read '" + folder.string() + "': Is a directory");
}

TEST(ReadFile, ReadsBytesAsTheyAre) {
  const auto path = fresh_folder() / "file";
  std::string bytes(200'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  put(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  put(path, "");
  EXPECT_EQ(read_file(path), "");
}

TEST(ReadFile, EndsWhereAFileDoesNot) {
  EXPECT_EQ(error_of([] { read_file("/dev/zero"); }), "cannot read '/dev/zero': File too large");
}

TEST(WriteFile, AFullDiskIsTellableFromAnInputThatCannotBeRead) {
  EXPECT_THROW(put("/proc/nothing", "text"), std::system_error);
  try {
    read_file("/proc/nothing");
    FAIL() << "nothing was thrown";
  } catch (const std::system_error&) {
    FAIL() << "a missing input is no failure of the system";
  } catch (const std::runtime_error&) {
  }
}

}  // namespace
}  // namespace sfumato
