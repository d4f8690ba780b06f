#include <gtest/gtest.h>

#include <functional>

#include "core/json.h"
#include "parity/pipeline_case.h"
#include "systems/stable_diffusion/conditioning.h"

namespace sfumato {
namespace {

/// Conditions at the only step of a request: the negative prompt's row, then the prompt's.
Condition condition_once(const StableDiffusion& model, const Request& request) {
  const torch::NoGradGuard no_gradients;
  std::vector<std::string> warnings;
  const auto job = resolve(model, request, {64, 64}, {}, {});
  const auto terms = conditions_of(job, {Step{}}, {}, warnings).distinct.front();
  return cat({*terms.negative, terms.positives.front()});
}

class PromptParity : public ::testing::TestWithParam<const char*> {
 protected:
  StableDiffusion model_ = load_model(GetParam());
  SafetensorsFile expected_{parity_folder() / (std::string(GetParam()) + "-states.safetensors")};
  Json json_ = read_json(parity_folder() / "prompts.json");

  void for_each_prompt(const std::function<void(const std::string& index, Request request)>& check) {
    const auto& prompts = json_.at("prompts");
    ASSERT_GE(prompts.size(), 30U);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      SCOPED_TRACE(prompts[i].dump().substr(0, 200));
      check(std::to_string(i), {.prompt = prompts[i].get<std::string>(),
                                .negative_prompt = json_.at("negative_prompt").get<std::string>(),
                                .prompt_syntax = "a1111",
                                .width = 64,
                                .height = 64});
    }
  }
};

TEST_P(PromptParity, WeightsBreaksAndChunksAreThoseOfTheWebUi) {
  for_each_prompt([&](const std::string& index, const Request& request) {
    const auto condition = condition_once(model_, request);
    const auto expected = torch::cat({expected_.tensor("negative." + index), expected_.tensor("a1111." + index)});
    EXPECT_LT(relative_error(condition.encoder_hidden_states, expected), kNetworkTolerance);
    if (model_.is_xl()) {
      EXPECT_LT(relative_error(condition.text_embeds, expected_.tensor("pooled." + index)), kNetworkTolerance);
    }
  });
}

TEST_P(PromptParity, LayersAreSkippedBeforeWeighting) {
  for_each_prompt([&](const std::string& index, Request request) {
    request.clip_skip = 2;
    EXPECT_LT(relative_error(condition_once(model_, request).encoder_hidden_states[1],
                             expected_.tensor("skipped." + index)[0]),
              kNetworkTolerance);
  });
}

TEST_P(PromptParity, PlainIsDiffusersEncodePrompt) {
  for_each_prompt([&](const std::string& index, Request request) {
    request.prompt_syntax = "plain";
    const auto condition = condition_once(model_, request);
    EXPECT_LT(relative_error(condition.encoder_hidden_states, expected_.tensor("plain." + index)), kNetworkTolerance);
    if (model_.is_xl()) {
      EXPECT_LT(relative_error(condition.text_embeds, expected_.tensor("plain_pooled." + index)), kNetworkTolerance);
    }
  });
}

TEST_P(PromptParity, ASmallerWeightShows) {
  Request request{.prompt = "a (cat:1.29) on a sofa", .prompt_syntax = "a1111", .width = 64, .height = 64};
  const auto states = condition_once(model_, request).encoder_hidden_states[1];
  EXPECT_GT(relative_error(states, expected_.tensor("a1111.3")[0]), 10 * kNetworkTolerance) << "1.3 there";
}

INSTANTIATE_TEST_SUITE_P(, PromptParity, ::testing::Values("sd1", "sdxl"), [](const auto& info) { return info.param; });

/// How far the final latents of a request are from those of a case.
double final_error(const PipelineCase& test, const Request& request) {
  return relative_error(make_images(load_model(test.model), request).latents, test.expected.tensor("latents"));
}

class PromptTrajectoryParity : public ::testing::TestWithParam<const char*> {};

TEST_P(PromptTrajectoryParity, EachStepIsToldWhatTheWebUiTellsIt) {
  const auto test = find_case(GetParam());
  EXPECT_LT(final_error(test, test.request), kNetworkTolerance);
}

INSTANTIATE_TEST_SUITE_P(, PromptTrajectoryParity,
                         ::testing::Values("from_to", "fraction", "add_and_remove", "nested", "alternating", "negative",
                                           "longer_later", "heun", "pndm", "unguided", "and", "and_scheduled",
                                           "and_unguided", "img2img", "xl", "xl_negative"),
                         [](const auto& info) { return info.param; });

/// How far the latents of a case move with another prompt.
double moved_by_prompt(const std::string& name, const std::string& prompt) {
  const auto test = find_case(name);
  auto request = test.request;
  request.prompt = prompt;
  return final_error(test, request);
}

TEST(PromptTrajectoryCanFail, AStepOffByOneShows) {
  EXPECT_GT(moved_by_prompt("from_to", "a [cat:dog:2] on a sofa"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("from_to", "a [cat:dog:4] on a sofa"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("alternating", "a [dog|(horse:1.4)|cat] on a sofa"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("pndm", "a [cat:dog:4] on a sofa"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("heun", "a [cat|dog] on a [sofa:tree:3]"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("img2img", "a [cat:dog:2]"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("xl", "a [cat:dog:2] AND (snow:1.3) :0.7"), 10 * kNetworkTolerance);
}

TEST(PromptTrajectoryCanFail, TheWeightOfAPartShows) {
  EXPECT_GT(moved_by_prompt("and", "a cat :1.19 AND a dog :0.8"), 10 * kNetworkTolerance);
  EXPECT_GT(moved_by_prompt("and", "a cat, a dog"), 10 * kNetworkTolerance);
}

TEST(Prompts, ClipReadsWeightsUnlessToldOtherwise) {
  auto test = find_case("from_to");
  test.request.steps = 1;
  EXPECT_EQ(text_to_image(load_model("sd1"), test.request).request.prompt_syntax, "a1111");
}

}  // namespace
}  // namespace sfumato
