#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"
#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "training/contrastive_loss.h"
#include "training/kinds/clip/clip_task.h"
#include "training/network_parameters.h"
#include "training/replicas.h"
#include "training/trainer.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

Json clip_recipe() {
  const Json tower = {
      {"hidden_size", 16}, {"intermediate_size", 32}, {"num_hidden_layers", 1}, {"num_attention_heads", 2}};
  Json text = tower, vision = tower;
  text.update({{"vocab_size", 6}, {"max_position_embeddings", 3}, {"eos_token_id", 1}});
  vision.update({{"image_size", 8}, {"patch_size", 4}});
  return {{"kind", "clip"},
          {"seed", 3},
          {"steps", 4},
          {"batch_size", 8},
          {"data", {{"pack", "colours.pack"}, {"image_size", 8}}},
          {"tokenizer", "tokenizer"},
          {"clip", {{"projection_dim", 8}, {"text_config", text}, {"vision_config", vision}}},
          {"noised", true},
          {"scheduler", {{"_class_name", "DDPMScheduler"}, {"num_train_timesteps", 20}, {"beta_end", 0.3}}},
          {"sample", {{"count", 2}}},
          {"log_every", 1},
          {"sample_every", 2},
          {"checkpoint_every", 2}};
}

Json changed_clip(Json recipe, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) apply_setting(recipe, setting);
  return recipe;
}

Json without_noise() {
  auto recipe = changed_clip(clip_recipe(), {"noised=false"});
  recipe.erase("scheduler");
  return recipe;
}

std::string clip_refusal(const Json& recipe) {
  try {
    parse_job(recipe, "r.json")->check();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// A pack of 64 images of four brightnesses, whose captions are the ids 2 to 5; 1 ends a caption and 0 pads it.
class ClipTraining : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "tokenizer");
    write_json(folder_ / "tokenizer" / "tokenizer_config.json", Json{{"tokenizer_class", "GPT2Tokenizer"}});
    const std::int64_t count = 64;
    const auto kind = torch::arange(count).remainder(4);
    const auto ids =
        torch::stack({kind + 2, torch::ones({count}, torch::kInt64), torch::zeros({count}, torch::kInt64)}, 1)
            .to(torch::kInt32);
    write_safetensors(folder_ / "colours.pack",
                      {{"images", (32 + 60 * kind).view({count, 1, 1, 1}).expand({count, 3, 8, 8}).to(torch::kUInt8)},
                       {"captions.ids", ids},
                       {"captions.bytes", torch::full({count}, 'x', torch::kUInt8)},
                       {"captions.offsets", torch::arange(count + 1)},
                       {"empty.ids", torch::tensor({1, 0, 0}, torch::kInt32)},
                       {"probes.ids", ids.slice(0, 0, 4)},
                       {"probes.bytes", torch::full({4}, 'x', torch::kUInt8)},
                       {"probes.offsets", torch::arange(5)},
                       {"split.held_out", torch::tensor({16}, torch::kInt64)}},
                      {{"format", "sfumato-pack"}, {"version", "1"}});
  }
  void TearDown() override { fs::remove_all(folder_); }

  Json at_folder(Json recipe) const {
    recipe["data"]["pack"] = (folder_ / "colours.pack").string();
    recipe["tokenizer"] = (folder_ / "tokenizer").string();
    return recipe;
  }

  std::unique_ptr<Task> task(const Json& recipe) const {
    return make_task(*parse_job(at_folder(recipe), "r.json"), {.run = RunFolder(folder_ / "run")});
  }

  void train_run(const std::string& run, const Json& recipe, std::int64_t stop_after = 0) const {
    const auto json = at_folder(recipe);
    const auto job = parse_job(json, "r.json");
    write_json(folder_ / run / "recipe.json", json);
    const auto task = make_task(*job, {.run = RunFolder(folder_ / run)});
    TrainerOptions options;
    options.hooks.stop_requested = [&, done = std::int64_t{0}]() mutable { return ++done == stop_after; };
    train(*task, job->recipe(), RunFolder(folder_ / run), options);
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("sfumato-clip-" + std::to_string(::getpid()) +
                                                     testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST(ContrastiveLoss, IsTheMeanOfBothCrossEntropies) {
  const auto logits = torch::tensor({{2.0, 0.0}, {1.0, 3.0}}, torch::kFloat64);
  const auto cross_entropy = [](double own, double other) { return std::log(1 + std::exp(other - own)); };
  const double rows = cross_entropy(2, 0) + cross_entropy(3, 1), columns = cross_entropy(2, 1) + cross_entropy(3, 0);
  EXPECT_NEAR(contrastive_loss(logits, torch::eye(2).to(torch::kBool)).item<double>(), (rows + columns) / 4, 1e-12);
}

TEST(ContrastiveLoss, EqualCaptionsArePositives) {
  const auto same = same_texts(torch::tensor({{2, 1}, {3, 1}, {2, 1}}));
  EXPECT_TRUE(torch::equal(same, torch::tensor({{true, false, true}, {false, true, false}, {true, false, true}})));
  // Images 0 and 2 match both texts of their caption equally, and the third not at all.
  const auto logits = torch::tensor({{9.0, -90.0, 9.0}, {-90.0, 9.0, -90.0}, {9.0, -90.0, 9.0}}, torch::kFloat64);
  EXPECT_NEAR(contrastive_loss(logits, same).item<double>(), 2 * std::log(2.0) / 3, 1e-12);
  EXPECT_TRUE(retrieves_text(logits, same).all().item<bool>());
  EXPECT_FALSE(retrieves_text(logits.flip(0), torch::eye(3).to(torch::kBool)).all().item<bool>());
}

TEST_F(ClipTraining, EveryParameterGetsAGradient) {
  for (const auto& recipe : {clip_recipe(), without_noise()}) {
    const auto task = this->task(recipe);
    auto& objective = dynamic_cast<CLIPObjective&>(task->objective());
    {
      const torch::NoGradGuard no_grad;  // the time embedding starts at zero, through which no gradient goes
      for (const auto& item : objective.clip->named_parameters())
        if (item.key().find("time_embedding.linear_2.weight") != std::string::npos) item.value().normal_();
    }
    objective.loss(task->loader().batch(0)).backward();
    for (const auto& [name, tensor] : objective.tensors().optimized) {
      ASSERT_TRUE(tensor.grad().defined()) << name;
      EXPECT_EQ(name.find("k_proj.bias") != std::string::npos || tensor.grad().abs().sum().item<double>() > 0, true)
          << name;
    }
  }
}

TEST_F(ClipTraining, TheTemperatureStaysBelow100) {
  const auto task = this->task(clip_recipe());
  auto& objective = dynamic_cast<CLIPObjective&>(task->objective());
  {
    const torch::NoGradGuard no_grad;
    objective.clip->named_parameters()["logit_scale"].fill_(7);
  }
  objective.loss(task->loader().batch(0));
  EXPECT_NEAR(objective.clip->logit_factor().item<double>(), 100, 1e-3);
}

TEST_F(ClipTraining, ANoisedModelReceivesNoiseAndTimesteps) {
  const auto batch = task(clip_recipe())->loader().batch(0);
  EXPECT_EQ(batch.at("noise").sizes(), batch.at("x0").sizes());
  EXPECT_TRUE(batch.at("t").lt(20).logical_and(batch.at("t").ge(0)).all().item<bool>());
  EXPECT_FALSE(task(without_noise())->loader().batch(0).contains("noise"));
}

TEST_F(ClipTraining, ARunThatStoppedResumesToTheSameWeights) {
  train_run("whole", clip_recipe());
  train_run("parts", clip_recipe(), 2);
  train_run("parts", clip_recipe());
  const auto whole = RunFolder(folder_ / "whole").newest(), parts = RunFolder(folder_ / "parts").newest();
  ASSERT_EQ(parts->step, 4);
  ASSERT_EQ(whole->tensors.size(), parts->tensors.size());
  for (const auto& [name, value] : whole->tensors) EXPECT_TRUE(torch::equal(value, parts->tensors.at(name))) << name;
}

TEST_F(ClipTraining, LearnsToRetrieveCaptionsAndExportsTheModel) {
  const auto recipe =
      changed_clip(clip_recipe(), {"steps=400", "batch_size=16", "optimizer.lr=0.005", "schedule.warmup_steps=10",
                                   "ema_decay=0.9", "sample_every=400", "checkpoint_every=400", "log_every=400"});
  train_run("run", recipe);
  export_run(RunFolder(folder_ / "run"), folder_ / "export", {});
  for (const auto* name : {"config.json", "tokenizer_config.json", "scheduler_config.json", "preprocessor_config.json"})
    EXPECT_TRUE(fs::exists(folder_ / "export" / name)) << name;
  const auto task = this->task(recipe);
  const double before = task->evaluate(0).at("held_out_accuracy_clean").get<double>();
  task->init_from(folder_ / "export");
  const auto after = task->evaluate(0);
  std::printf("captions retrieved: %.2f untrained, %.2f trained, %.2f of noised images\n", before,
              after.at("held_out_accuracy_clean").get<double>(), after.at("held_out_accuracy").get<double>());
  EXPECT_GT(after.at("held_out_accuracy_clean").get<double>(), 0.9);
  EXPECT_GT(after.at("held_out_accuracy").get<double>(), 0.5);  // a quarter by chance
  const auto clip = from_pretrained<CLIPModelImpl>(folder_ / "export", {});
  EXPECT_TRUE(clip->config().vision_config.time_embedding);
}

TEST_F(ClipTraining, ReadsTheLatentsOfAnAutoencoder) {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8};
  config.norm_num_groups = 4;
  AutoencoderKL vae(config);
  prepare_for_training(*vae, seeded_generator(1), torch::kCPU);
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : vae->named_parameters()) tensors.emplace(item.key(), item.value().detach());
  save_weights(tensors, folder_ / "vae", {});
  write_json(folder_ / "vae" / "config.json", config.to_json());
  const auto recipe =
      changed_clip(clip_recipe(), {"vae=" + (folder_ / "vae").string(), "clip.vision_config.patch_size=2",
                                   "clip.vision_config.image_size=4", "clip.vision_config.num_channels=4"});
  EXPECT_EQ(task(recipe)->loader().batch(0).at("x0").sizes(), torch::IntArrayRef({8, 4, 4, 4}));
  EXPECT_THROW(task(changed_clip(recipe, {"clip.vision_config.num_channels=3"})), std::invalid_argument);
  EXPECT_THROW(task(changed_clip(recipe, {"clip.vision_config.image_size=8"})), std::invalid_argument);
  train_run("run", recipe);
  export_run(RunFolder(folder_ / "run"), folder_ / "export", {});
  EXPECT_FALSE(fs::exists(folder_ / "export" / "preprocessor_config.json"));
}

TEST_F(ClipTraining, TheBatchIsNotDivided) {
  EXPECT_EQ(default_replicas({.batch_size = 64, .couples_rows = parse_job(clip_recipe(), "r.json")->couples_rows()}),
            1);
  EXPECT_THROW(check_replicas(2, {.batch_size = 64, .couples_rows = true}), std::invalid_argument);
}

TEST_F(ClipTraining, RefusesCaptionsWithoutTheEnd) {
  try {
    task(changed_clip(clip_recipe(), {"clip.text_config.eos_token_id=4"}));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'eos_token_id' is 4; expected the id that ends every caption"),
              std::string::npos)
        << error.what();
  }
}

TEST(ClipRecipe, RefusesWhatDoesNotFit) {
  EXPECT_EQ(clip_refusal(clip_recipe()), "");
  EXPECT_EQ(clip_refusal(without_noise()), "");
  const auto expect_refused = [](const Json& recipe, const std::string& setting, const std::string& message) {
    const auto refusal = clip_refusal(changed_clip(recipe, {setting}));
    EXPECT_NE(refusal.find(message), std::string::npos) << setting << ": " << refusal;
  };
  const auto recipe = clip_recipe();
  expect_refused(recipe, "noised=false", "scheduler is given and 'noised' is false");
  expect_refused(recipe, "batch_size=1", "batch_size is 1; expected at least 2");
  expect_refused(recipe, "clip.vision_config.image_size=16", "'image_size' is 16; expected 8, the side of the images");
  expect_refused(recipe, "clip.vision_config.patch_size=3", "'patch_size' is 3; expected a divisor of image_size, 8");
  expect_refused(recipe, "clip.vision_config.num_channels=4", "'num_channels' is 4; expected 3 in pixels");
  expect_refused(recipe, "clip.vision_config.heads=4", "heads");
  expect_refused(recipe, "clip.text_config.hidden_act=relu", "'hidden_act' is \"relu\"");
  expect_refused(recipe, "clip.width=4", "width");
  expect_refused(recipe, "clip.vision_config.time_embedding=false", "expected the recipe's key 'noised' instead");
  expect_refused(recipe, "scheduler.betas=1", "betas");
  expect_refused(without_noise(), "vae=folder", "expected a noised model of latents");
}

}  // namespace
}  // namespace sfumato
