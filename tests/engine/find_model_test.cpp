#include "engine/find_model.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace sfumato {
namespace {

namespace fs = std::filesystem;

TEST(FindModel, SaysOnceWhereItHasLooked) {
  const fs::path source(SFUMATO_SOURCE_DIR);
  const auto roots = model_roots(source);
  const auto is_source = [&](const fs::path& root) { return fs::equivalent(root, source / "models"); };
  EXPECT_EQ(std::count_if(roots.begin(), roots.end(), is_source), 1);
  try {
    find_model("no-such-model", roots);
    FAIL() << "found";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("'no-such-model': no such folder or file, and none of that name in "),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace sfumato
