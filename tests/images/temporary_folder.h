#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace sfumato {

/// A fresh folder for one test, of files only, removed after it.
class TemporaryFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("sfumato-" + std::to_string(::getpid()) + "-" + test->test_suite_name() + "-" + test->name());
    std::filesystem::create_directories(folder_);
  }
  // Not remove_all: LibTorch exports one of its own, which crashes with another libstdc++ than the one it was built
  // with.
  void TearDown() override {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) std::filesystem::remove(entry.path());
    std::filesystem::remove(folder_);
  }

  std::filesystem::path folder_;
};

}  // namespace sfumato
