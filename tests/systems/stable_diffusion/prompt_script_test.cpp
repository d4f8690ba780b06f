#include "systems/stable_diffusion/prompt_script.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

std::vector<Step> falling(int count) {
  std::vector<Step> steps;
  for (int i = 0; i < count; ++i) steps.push_back({{.t = 900.0 - i}, {.t = 899.0 - i}});
  return steps;
}

/// Returns the prompts at each step, negative prompts last.
std::vector<std::string> said(const Request& request, const std::vector<Step>& steps) {
  const auto script = read_prompts(request, steps);
  EXPECT_EQ(script.of_step.size(), steps.size());
  std::vector<std::string> said;
  for (const auto index : script.of_step) {
    auto& line = said.emplace_back();
    for (const auto& part : script.distinct[index].parts) line += part + "/";
    line += script.distinct[index].negative;
  }
  return said;
}

using Lines = std::vector<std::string>;

TEST(PromptScript, PlainIsTheSameAtEachStep) {
  const Request request{.prompt = "a [cat:dog:1] AND <lora:x>", .negative_prompt = "(b)", .prompt_syntax = "plain"};
  EXPECT_EQ(said(request, falling(2)), Lines(2, "a [cat:dog:1] AND <lora:x>/(b)"));
  EXPECT_EQ(read_prompts(request, falling(2)).weights, std::vector<double>{1});
}

TEST(PromptScript, PartsAndNegativePromptChangeAlone) {
  const Request request{.prompt = "[a|b] AND [c:d:2] :0.5", .negative_prompt = "[x:1] AND y", .prompt_syntax = "a1111"};
  EXPECT_EQ(said(request, falling(3)), (Lines{"a/c/ AND y", "b/c/x AND y", "a/d/x AND y"}));
  EXPECT_EQ(read_prompts(request, falling(3)).weights, (std::vector<double>{1, 0.5}));
}

TEST(PromptScript, EachWordingIsListedOnce) {
  const Request request{.prompt = "[a|b]", .prompt_syntax = "a1111"};
  EXPECT_EQ(read_prompts(request, falling(20)).distinct.size(), 2U);
}

TEST(PromptScript, AStepThatRepeatsItsPredecessorSaysTheSame) {
  auto steps = falling(3);
  steps.insert(steps.begin() + 1, {steps[1].from, steps[1].from});  // as in StepGrid::pndm
  EXPECT_EQ(said({.prompt = "[a|b|c]", .prompt_syntax = "a1111"}, steps), (Lines{"a/", "a/", "b/", "c/"}));
}

TEST(PromptScript, CommentsGoFirstButFromPlainPrompts) {
  Request request{.prompt = "a # b AND [c:d:1]\nAND e # <lora:x>", .negative_prompt = "f#g", .prompt_syntax = "a1111"};
  EXPECT_EQ(said(request, falling(1)), Lines{"a/e/f\n"});
  request = {.prompt = "a #b", .negative_prompt = "f#g", .prompt_syntax = "plain"};
  EXPECT_EQ(said(request, falling(1)), Lines{"a #b/f#g"});
}

TEST(PromptScript, ALoraTagIsNotSwallowed) {
  EXPECT_THROW(read_prompts({.prompt = "a <lora:x:1> cat", .prompt_syntax = "a1111"}, falling(1)),
               std::invalid_argument);
  EXPECT_THROW(read_prompts({.prompt = "", .negative_prompt = "<lora:x:1>", .prompt_syntax = "a1111"}, falling(1)),
               std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
