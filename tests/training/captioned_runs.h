#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "checkpoints/safetensors.h"
#include "training/kinds.h"
#include "training/recipe.h"
#include "training/trainer.h"

namespace sfumato {

/// Returns the recipe with settings of the form key=value.
inline Json changed(Json recipe, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) apply_setting(recipe, setting);
  return recipe;
}

/// Returns the message with which a recipe is refused; "" for a valid one.
inline std::string refusal_of(const Json& recipe) {
  try {
    parse_job(recipe, "r.json")->check();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// Runs of a kind on a pack of 8x8 images of one value each. The caption of an image is one token, then 1 that ends it
/// and 0 that pads it.
class CaptionedRuns : public testing::Test {
 protected:
  /// Values of the images [N] in 0 to 255, the tokens of their captions [N], and the tokens of the probes.
  struct Contents {
    torch::Tensor values, tokens, probes;
    std::int64_t held_out = 0;
  };

  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write_files(const Contents& contents) const {
    write_json(folder_ / "tokenizer" / "tokenizer_config.json", Json{{"tokenizer_class", "GPT2Tokenizer"}});
    const auto rows = [](const torch::Tensor& tokens) {
      return torch::stack({tokens, torch::ones_like(tokens), torch::zeros_like(tokens)}, 1).to(torch::kInt32);
    };
    const auto count = contents.values.size(0), probes = contents.probes.size(0);
    write_safetensors(folder_ / "colours.pack",
                      {{"images", contents.values.view({count, 1, 1, 1}).expand({count, 3, 8, 8}).to(torch::kUInt8)},
                       {"captions.ids", rows(contents.tokens)},
                       {"captions.bytes", torch::full({count}, 'x', torch::kUInt8)},
                       {"captions.offsets", torch::arange(count + 1)},
                       {"empty.ids", torch::tensor({1, 0, 0}, torch::kInt32)},
                       {"probes.ids", rows(contents.probes)},
                       {"probes.bytes", torch::full({probes}, 'x', torch::kUInt8)},
                       {"probes.offsets", torch::arange(probes + 1)},
                       {"split.held_out", torch::tensor({contents.held_out}, torch::kInt64)}},
                      {{"format", "sfumato-pack"}, {"version", "1"}});
  }

  Json at_folder(Json recipe) const {
    recipe["data"]["pack"] = (folder_ / "colours.pack").string();
    if (recipe.contains("tokenizer")) recipe["tokenizer"] = (folder_ / "tokenizer").string();
    return recipe;
  }

  std::unique_ptr<Task> task(const Json& recipe) const {
    return make_task(*parse_job(at_folder(recipe), "r.json"), {.run = RunFolder(folder_ / "run")});
  }

  /// Trains in a folder of this name, resuming what is there; stops after `stop_after` steps unless 0.
  void train_run(const std::string& run, const Json& recipe, std::int64_t stop_after = 0) const {
    const auto json = at_folder(recipe);
    const auto job = parse_job(json, "r.json");
    write_json(folder_ / run / "recipe.json", json);
    const auto task = make_task(*job, {.run = RunFolder(folder_ / run)});
    TrainerOptions options;
    options.hooks.stop_requested = [&, done = std::int64_t{0}]() mutable { return ++done == stop_after; };
    train(*task, job->recipe(), RunFolder(folder_ / run), options);
  }

  /// Expects a run of 4 steps that stopped after 2 to end with the weights of one that did not.
  void expect_resumed_to_the_same(const Json& recipe) const {
    std::filesystem::remove_all(folder_ / "whole");
    std::filesystem::remove_all(folder_ / "parts");
    train_run("whole", recipe);
    train_run("parts", recipe, 2);
    train_run("parts", recipe);
    const auto whole = RunFolder(folder_ / "whole").newest(), parts = RunFolder(folder_ / "parts").newest();
    ASSERT_EQ(parts->step, 4);
    ASSERT_EQ(whole->tensors.size(), parts->tensors.size());
    for (const auto& [name, value] : whole->tensors) EXPECT_TRUE(torch::equal(value, parts->tensors.at(name))) << name;
  }

  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) /
                                  ("sfumato-captioned-" + std::to_string(::getpid()) +
                                   testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
};

}  // namespace sfumato
