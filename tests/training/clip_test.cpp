#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

#include "checkpoints/load.h"
#include "checkpoints/save.h"
#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "training/captioned_runs.h"
#include "training/contrastive_loss.h"
#include "training/kinds/clip/clip_task.h"
#include "training/network_parameters.h"
#include "training/replicas.h"

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

Json without_noise() {
  auto recipe = changed(clip_recipe(), {"noised=false"});
  recipe.erase("scheduler");
  return recipe;
}

/// 64 images of four brightnesses, whose captions are the ids 2 to 5.
class ClipTraining : public CaptionedRuns {
 protected:
  void SetUp() override {
    const auto kind = torch::arange(64).remainder(4);
    write_files({.values = 32 + 60 * kind, .tokens = kind + 2, .probes = torch::arange(2, 6), .held_out = 16});
  }
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
  expect_resumed_to_the_same(clip_recipe());
}

TEST_F(ClipTraining, LearnsToRetrieveCaptionsAndExportsTheModel) {
  const auto recipe =
      changed(clip_recipe(), {"steps=400", "batch_size=16", "optimizer.lr=0.005", "schedule.warmup_steps=10",
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
  const auto recipe = changed(clip_recipe(), {"vae=" + (folder_ / "vae").string(), "clip.vision_config.patch_size=2",
                                              "clip.vision_config.image_size=4", "clip.vision_config.num_channels=4"});
  EXPECT_EQ(task(recipe)->loader().batch(0).at("x0").sizes(), torch::IntArrayRef({8, 4, 4, 4}));
  EXPECT_THROW(task(changed(recipe, {"clip.vision_config.num_channels=3"})), std::invalid_argument);
  EXPECT_THROW(task(changed(recipe, {"clip.vision_config.image_size=8"})), std::invalid_argument);
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
    task(changed(clip_recipe(), {"clip.text_config.eos_token_id=4"}));
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'eos_token_id' is 4; expected the id that ends every caption"),
              std::string::npos)
        << error.what();
  }
}

TEST(ClipRecipe, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal_of(clip_recipe()), "");
  EXPECT_EQ(refusal_of(without_noise()), "");
  const auto expect_refused = [](const Json& recipe, const std::string& setting, const std::string& message) {
    const auto refusal = refusal_of(changed(recipe, {setting}));
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
