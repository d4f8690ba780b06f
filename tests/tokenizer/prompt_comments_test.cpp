#include "tokenizer/prompt_comments.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

// Expected values are those of Python's re.sub with the web UI's two patterns (modules/processing_scripts/comments.py).
void expect_left(const std::string& prompt, const std::string& left) {
  EXPECT_EQ(without_comments(prompt), left) << prompt;
}

TEST(PromptComments, EndWithTheirLine) {
  expect_left("a cat # on a sofa", "a cat \n");
  expect_left("a cat # on a sofa\nat night", "a cat \nat night");
  expect_left("a #b #c\nd#e\nf", "a \nd\nf");
  expect_left("#", "\n");
}

TEST(PromptComments, WholeLinesGoWithTheBreakBeforeThem) {
  expect_left("# first\na cat", "\na cat");
  expect_left("a cat\n# on a sofa\nat night", "a cat\nat night");
  expect_left("a cat\n# the end", "a cat\n");
  expect_left("a\n #b\nc", "a\n \nc");
}

TEST(PromptComments, OfSeveralLinesInARowEachSecondLeavesABreakToo) {
  expect_left("a\n#b\n#c\nd", "a\n\nd");
  expect_left("#a\n#b\n#c\n#d\ne", "\n\n\ne");
  expect_left("a\n#b\n#c\n#d\n#e\nf", "a\n\n\nf");
}

TEST(PromptComments, NothingHidesThemAndOtherTextStays) {
  expect_left(R"(a \# b)", "a \\\n");
  expect_left("(a cat:1.2 # (b)\n)", "(a cat:1.2 \n)");
  expect_left("a <lora:x:1#2>", "a <lora:x:1\n");
  expect_left("a cat\r\n", "a cat\r\n");
  expect_left("\u732b #\u72d7\n\u72d7", "\u732b \n\u72d7");
  expect_left("", "");
}

}  // namespace
}  // namespace sfumato
