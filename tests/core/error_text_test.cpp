#include "core/error_text.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

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
