#include "core/shipped_folders.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

namespace fs = std::filesystem;

TEST(ShippedFolders, AreNamedOnceThoughTheProgramLiesInItsSources) {
  // The program's own folder replaces the sources: both searches find its contents.
  const auto program = fs::read_symlink("/proc/self/exe").parent_path();
  const auto models = program / "sfumato-shipped-folders-test";
  fs::create_directory(models);
  const auto found = shipped_folders(models.filename().string(), program / ".." / program.filename());
  fs::remove(models);
  EXPECT_EQ(found, std::vector<fs::path>{models});
}

}  // namespace
}  // namespace sfumato
