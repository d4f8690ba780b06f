#include "tokenizer/prompt_schedule.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

/// Last step of each text in ten steps, as the web UI lists them.
using Runs = std::vector<std::pair<int, std::string>>;

Runs runs_of(const std::string& prompt, int steps = 10) {
  Runs runs;
  const auto texts = texts_of_steps(prompt, steps);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (runs.empty() || runs.back().second != texts[i]) runs.push_back({0, texts[i]});
    runs.back().first = static_cast<int>(i) + 1;
  }
  return runs;
}

// Examples from the web UI's documentation.
TEST(PromptSchedule, IsThatOfTheWebUisExamples) {
  EXPECT_EQ(runs_of("test"), (Runs{{10, "test"}}));
  EXPECT_EQ(runs_of("a [b:3]"), (Runs{{3, "a "}, {10, "a b"}}));
  EXPECT_EQ(runs_of("a [b: 3]"), (Runs{{3, "a "}, {10, "a b"}}));
  EXPECT_EQ(runs_of("a [[[b]]:2]"), (Runs{{2, "a "}, {10, "a [[b]]"}}));
  EXPECT_EQ(runs_of("[(a:2):3]"), (Runs{{3, ""}, {10, "(a:2)"}}));
  EXPECT_EQ(runs_of("a [b : c : 1] d"), (Runs{{1, "a b  d"}, {10, "a  c  d"}}));
  EXPECT_EQ(runs_of("a[b:[c:d:2]:1]e"), (Runs{{1, "abe"}, {2, "ace"}, {10, "ade"}}));
  EXPECT_EQ(runs_of("a [unbalanced"), (Runs{{10, "a [unbalanced"}}));
  EXPECT_EQ(runs_of("a [b:.5] c"), (Runs{{5, "a  c"}, {10, "a b c"}}));
  EXPECT_EQ(runs_of("((a][:b:c [d:3]"), (Runs{{3, "((a][:b:c "}, {10, "((a][:b:c d"}}));
  EXPECT_EQ(runs_of("[a|(b:1.1)]", 3), (Runs{{1, "a"}, {2, "(b:1.1)"}, {3, "a"}}));
  EXPECT_EQ(runs_of("[fe|]male", 3), (Runs{{1, "female"}, {2, "male"}, {3, "female"}}));
  EXPECT_EQ(runs_of("[fe|||]male", 5), (Runs{{1, "female"}, {4, "male"}, {5, "female"}}));
}

// Example from the wiki, with 100 steps.
TEST(PromptSchedule, CountsPartsOfTheSteps) {
  const auto runs = runs_of(
      "a [mountain:lake:0.25] and [an oak:a christmas tree:0.75][ in foreground::0.6][ in background:0.25] "
      "[shoddy:masterful:0.5]",
      100);
  EXPECT_EQ(runs, (Runs{{25, "a mountain and an oak in foreground shoddy"},
                        {50, "a lake and an oak in foreground in background shoddy"},
                        {60, "a lake and an oak in foreground in background masterful"},
                        {75, "a lake and an oak in background masterful"},
                        {100, "a lake and a christmas tree in background masterful"}}));
}

TEST(PromptSchedule, TheEndsOfTheRunAreNoSpecialCase) {
  EXPECT_EQ(runs_of("[a:b:0]"), (Runs{{10, "b"}}));
  EXPECT_EQ(runs_of("[a:b:-2]"), (Runs{{10, "b"}}));
  EXPECT_EQ(runs_of("[a:b:10]"), (Runs{{10, "a"}}));
  EXPECT_EQ(runs_of("[a:b:1e300]"), (Runs{{10, "a"}}));
  EXPECT_EQ(runs_of("[a:b:1.0]"), (Runs{{10, "a"}}));
}

TEST(PromptSchedule, WhatIsNoSyntaxIsText) {
  for (const std::string prompt : {"", "a:b:3", "[a:b]", "[a:b:c:3]", "[a:b:x]", "(a:b:c)", "a | b [c:3]", "[a|b:3]",
                                   "\\[a:b:3\\]", "[a:3", "a:3]", "([a:3)]", "\\"})
    EXPECT_EQ(runs_of(prompt), (Runs{{10, prompt}})) << prompt;
}

TEST(PromptSchedule, TenThousandBracketsAreReadAtOnce) {
  for (const auto* mark : {"[", "(", "[a", "[a:", "[|", "]", "\\"}) {
    std::string prompt;
    while (prompt.size() < 10000) prompt += mark;
    EXPECT_EQ(texts_of_steps(prompt, 2).front(), prompt);
  }
}

}  // namespace
}  // namespace sfumato
