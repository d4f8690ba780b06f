#include "engine/outputs.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

std::string refusal(const std::string& pattern, std::optional<std::uint64_t> seed) {
  try {
    single_output_name(pattern, seed);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(SingleOutputName, HasTheSeedAndNoOtherWordInBraces) {
  EXPECT_EQ(single_output_name("out/{seed}-{seed}.png", 7), "out/7-7.png");
  EXPECT_EQ(single_output_name("a.png", std::nullopt), "a.png");
  EXPECT_EQ(single_output_name("a{.png", 7), "a{.png");
  EXPECT_EQ(refusal("{index}.png", 7),
            "output '{index}.png': '{index}' has no value here: expected {seed} or a plain name");
  EXPECT_EQ(refusal("{seed}.png", std::nullopt),
            "output '{seed}.png': '{seed}' has no value here: expected a plain name");
}

TEST(OutputNames, TellSeveralImagesApart) {
  const OutputNames names("a.png", 2);
  EXPECT_EQ(names.name(0, 7), "a-1.png");
  EXPECT_EQ(names.name(1, 8), "a-2.png");
  EXPECT_EQ(OutputNames("{seed}.png", 2).name(1, 8), "8.png");
  EXPECT_THROW(OutputNames("{name}.png", 1), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
