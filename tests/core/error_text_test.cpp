#include "core/error_text.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "core/json.h"

namespace sfumato {
namespace {

TEST(ErrorText, OfLibTorchIsOneLineWithoutFrames) {
  try {
    torch::zeros({2, 3}).matmul(torch::zeros({2, 3}));
    FAIL() << "no error";
  } catch (const std::exception& error) {
    ASSERT_NE(std::string(error.what()).find("frame #"), std::string::npos) << "what() has none";
    const auto text = error_text(error);
    EXPECT_EQ(text.find("frame #"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    EXPECT_NE(text.find("cannot be multiplied"), std::string::npos) << text;
  }
}

TEST(ErrorText, OfOthersIsAllOfItOnOneLine) {
  EXPECT_EQ(error_text(std::runtime_error("one\ntwo\n")), "one two");
  EXPECT_EQ(error_text(std::runtime_error("")), "");
}

TEST(ErrorText, LackOfMemoryIsNamedWithTheSize) {
  const auto expect_text = [](const std::exception& error, const std::string& text) {
    EXPECT_TRUE(is_out_of_memory(error));
    EXPECT_EQ(error_text(error), text);
  };
  expect_text(std::bad_alloc(), "out of memory");
  try {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total ...");
  } catch (const std::exception& error) {
    expect_text(error, "out of memory on the device: tried to allocate 20.00 GiB");
  }
  try {
    torch::empty({std::int64_t{1} << 53}, torch::kUInt8);
    FAIL() << "no error";
  } catch (const std::exception& error) {
    expect_text(error, "out of memory: tried to allocate 8388608.00 GiB");
  }
  try {
    TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate 3670016 bytes.");
  } catch (const std::exception& error) {
    expect_text(error, "out of memory: tried to allocate 3.5 MiB");
  }
  EXPECT_FALSE(is_out_of_memory(std::runtime_error("DefaultCPUAllocator: ")));
}

/// Convolves under ever wider limits of the process's memory until oneDNN, and not LibTorch's allocator, has too
/// little. Prints the error's text.
[[noreturn]] void convolve_without_memory_for_onednn() {
  const auto x = torch::ones({1, 64, 32, 32}), weight = torch::ones({64, 64, 3, 3});
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  for (rlim_t more = 0; more < 8 << 20; more += 50 << 10) {
    const rlim_t most = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE)) + more;
    const rlimit limit{most, RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
    try {
      at::conv2d(x, weight, {}, 1, 1);
      break;
    } catch (const std::exception& error) {
      const auto text = error_text(error);
      if (text.starts_with("out of memory")) continue;
      std::fprintf(stderr, "%d %s\n", is_out_of_memory(error), text.c_str());
      std::_Exit(0);
    }
  }
  std::_Exit(1);
}

TEST(ErrorTextDeathTest, LackOfMemoryInOneDnnIsNamed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "its shadow memory exceeds any limit";
#endif
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(convolve_without_memory_for_onednn(), testing::ExitedWithCode(0),
              "1 oneDNN could not create a primitive, most likely for lack of memory");
}

TEST(ErrorText, OfTheJsonLibraryIsWithoutItsMarks) {
  try {
    Json(3).get<std::string>();
    FAIL() << "no error";
  } catch (const Json::exception& error) {
    EXPECT_EQ(error_text(error), "type must be string, but is number");
  }
  EXPECT_EQ(error_text(std::runtime_error("record: [json.exception.out_of_range.403] key 'a' not found; [1] stays")),
            "record: key 'a' not found; [1] stays");
}

}  // namespace
}  // namespace sfumato
