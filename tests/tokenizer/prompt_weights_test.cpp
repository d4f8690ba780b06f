#include "tokenizer/prompt_weights.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

void expect_weights(const std::string& prompt, const std::vector<WeightedText>& expected) {
  SCOPED_TRACE(prompt);
  const auto texts = parse_weights(prompt);
  ASSERT_EQ(texts.size(), expected.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i].text, expected[i].text);
    EXPECT_NEAR(texts[i].weight, expected[i].weight, 1e-12);
    EXPECT_EQ(texts[i].is_break, expected[i].is_break);
  }
}

const WeightedText kBreak{.is_break = true};

// Examples from the web UI's documentation.
TEST(PromptWeights, AreThoseOfTheWebUisExamples) {
  expect_weights("normal text", {{"normal text", 1}});
  expect_weights("an (important) word", {{"an ", 1}, {"important", 1.1}, {" word", 1}});
  expect_weights("(unbalanced", {{"unbalanced", 1.1}});
  expect_weights("\\(literal\\]", {{"(literal]", 1}});
  expect_weights("(unnecessary)(parens)", {{"unnecessaryparens", 1.1}});
  expect_weights("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", {{"a ", 1},
                                                                         {"house", 1.3 * 1.1 * 1.1},
                                                                         {" ", 1.1},
                                                                         {"on", 1},
                                                                         {" a ", 1.1},
                                                                         {"hill", 0.5 * 1.1},
                                                                         {", sun, ", 1.1},
                                                                         {"sky", 1.1 * 1.1 * 1.1 * 1.1},
                                                                         {".", 1.1}});
}

TEST(PromptWeights, WhatIsNoSyntaxIsText) {
  expect_weights("", {{"", 1}});
  expect_weights("at 16:9, a:1.3) b] c)", {{"at 16:9, a:1.3) b] c)", 1}});
  expect_weights("(a:1.2.3)", {{"a:1.2.3", 1.1}});
  expect_weights("(a:)", {{"a:", 1.1}});
  expect_weights("(a:1e400)", {{"a:1e400", 1.1}});
  expect_weights("end\\", {{"end", 1}});
}

TEST(PromptWeights, MayBeZeroNegativeAndSpaced) {
  expect_weights("(a:0)(b:-1)(c : +1.5 )(d:.5)", {{"a", 0}, {"b", -1}, {"c ", 1.5}, {"d", 0.5}});
  expect_weights("[a [b]]", {{"a ", 1 / 1.1}, {"b", 1 / 1.1 / 1.1}});
}

TEST(PromptWeights, BreakIsAWordOfItsOwn) {
  expect_weights("a cat \n BREAK a dog", {{"a cat", 1}, kBreak, {"a dog", 1}});
  expect_weights("(a BREAK b:1.5)", {{"a", 1.5}, kBreak, {"b", 1.5}});
  expect_weights("BREAKFAST, a BREAKBREAK", {{"BREAKFAST, a BREAKBREAK", 1}});
  expect_weights("a BREAK BREAK", {{"a", 1}, kBreak, {"", 1}, kBreak, {"", 1}});
}

TEST(PromptWeights, TenThousandBracketsAreReadAtOnce) {
  for (const auto* mark : {"(", "[", ")", "(a:", "\\", "[:"}) {
    std::string prompt;
    while (prompt.size() < 10000) prompt += mark;
    EXPECT_GE(parse_weights(prompt).size(), 1U);
  }
}

}  // namespace
}  // namespace sfumato
