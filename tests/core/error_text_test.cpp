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
