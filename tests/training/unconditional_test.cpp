#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "training/held_out_bits.h"
#include "training/kinds/unconditional/unconditional_task.h"
#include "training/trainer.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

Json small_recipe() {
  return {{"kind", "unconditional"},
          {"seed", 3},
          {"steps", 4},
          {"batch_size", 4},
          {"data", {{"format", "folder"}, {"path", "images"}, {"image_size", 8}, {"held_out", 2}}},
          {"unet",
           {{"block_out_channels", {8, 8}},
            {"down_block_types", {"DownBlock2D", "DownBlock2D"}},
            {"up_block_types", {"UpBlock2D", "UpBlock2D"}},
            {"layers_per_block", 1},
            {"norm_num_groups", 4},
            {"add_attention", false}}},
          {"scheduler", {{"_class_name", "DDPMScheduler"}, {"num_train_timesteps", 20}}},
          {"sample", {{"count", 2}, {"steps", 2}}},
          {"log_every", 1},
          {"sample_every", 2},
          {"checkpoint_every", 2}};
}

Json with(Json recipe, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) apply_setting(recipe, setting);
  return recipe;
}

const std::vector<std::string> kHybrid = {"unet.out_channels=6", "scheduler.variance_type=learned_range",
                                          "loss.vlb_weight=0.001"};
const std::vector<std::string> kClasses = {"unet.num_class_embeds=3", "data.class_dropout=0.5"};

std::string unconditional_refusal(const std::vector<std::string>& settings) {
  try {
    parse_job(with(small_recipe(), settings), "r.json")->check();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

/// Images in two subfolders of a folder that is removed after the test: dark at the left, bright at the right.
class Unconditional : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 10; ++i) {
      const auto folder = folder_ / "images" / (i % 2 == 0 ? "even" : "odd");
      fs::create_directories(folder);
      std::ofstream(folder / (std::to_string(i) + ".png")) << i;
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  static torch::Tensor read_ramp(const fs::path& path) {
    double i = 0;
    std::ifstream(path) >> i;
    return torch::linspace(-1, 0.1 * i, 8).expand({1, 3, 8, 8});
  }

  TaskContext context(const std::string& run = "run") const {
    TaskContext context{.run = RunFolder(folder_ / run)};
    context.read_image = read_ramp;
    return context;
  }

  Json recipe(const std::vector<std::string>& settings = {}) const {
    return with(with(small_recipe(), {"data.path=" + (folder_ / "images").string()}), settings);
  }

  std::unique_ptr<UnconditionalTask> task(const std::vector<std::string>& settings = {}) const {
    const auto recipe = parse_unconditional_recipe(this->recipe(settings), "r.json");
    return std::make_unique<UnconditionalTask>(recipe, context());
  }

  /// Trains from the run's checkpoint, if it has one, to the recipe's end or for `stop_after` updates.
  void train_run(const std::string& run, const Json& json, std::int64_t stop_after = 0) const {
    const auto job = parse_job(json, "r.json");
    write_json(folder_ / run / "recipe.json", json);
    const auto task = make_task(*job, context(run));
    TrainerOptions options;
    options.hooks.stop_requested = [&, done = std::int64_t{0}]() mutable { return ++done == stop_after; };
    train(*task, job->recipe(), RunFolder(folder_ / run), options);
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("sfumato-unconditional-" + std::to_string(::getpid()) +
                                                     testing::UnitTest::GetInstance()->current_test_info()->name());
};

// eq. 16's L_vlb trains only the variance: it adds to the last layer's gradient in the rows of the variance alone, and
// these have no other gradient.
TEST_F(Unconditional, GradientOfTheBoundStopsAtTheMean) {
  const auto gradient = [&](double weight) {
    auto settings = kHybrid;
    settings.push_back("loss.vlb_weight=" + std::to_string(weight));
    const auto task = this->task(settings);
    auto& objective = dynamic_cast<UnconditionalObjective&>(task->objective());
    objective.loss(task->loader().batch(0)).backward();
    return objective.unet->conv_out->weight.grad().clone();
  };
  const auto small = gradient(0.001), large = gradient(0.1);
  EXPECT_TRUE(torch::equal(small.narrow(0, 0, 3), large.narrow(0, 0, 3)));
  EXPECT_GT(small.narrow(0, 0, 3).abs().max().item<double>(), 0);
  // Float32 sums, scaled by 100.
  EXPECT_TRUE(torch::allclose(100 * small.narrow(0, 3, 3), large.narrow(0, 3, 3), 1e-4, 1e-8));
  EXPECT_GT(small.narrow(0, 3, 3).abs().max().item<double>(), 0);
}

TEST_F(Unconditional, HybridLossAddsTTimesTheWeightedTermOfTheBound) {
  const auto task = this->task(kHybrid);
  auto& objective = dynamic_cast<UnconditionalObjective&>(task->objective());
  const auto batch = task->loader().batch(1);
  const VariationalBound bound(objective.schedule, torch::kCPU);
  const auto xt = objective.process.add_noise(batch.at("x0"), batch.at("noise"), batch.at("t"));
  const auto term = bound.term(batch.at("x0"), xt, objective.unet->forward(xt, batch.at("t")), batch.at("t"));
  const auto expected = objective.simple_loss(batch) + 0.001 * 20 * term.mean();
  EXPECT_NEAR(objective.loss(batch).item<double>(), expected.item<double>(), 1e-6 * expected.item<double>());
}

TEST_F(Unconditional, AFlippedImageIsMirroredFromLeftToRight) {
  const auto seen = [](UnconditionalTask& task) {
    std::int64_t rising = 0, falling = 0;
    for (int step = 0; step < 8; ++step) {
      const auto x0 = task.loader().batch(step).at("x0");  // [4, 3, 8, 8]
      const auto right = (x0.select(3, 7) - x0.select(3, 0)).mean({1, 2});
      rising += (right > 0).sum().item<std::int64_t>();
      falling += (right < 0).sum().item<std::int64_t>();
    }
    return std::pair(rising, falling);
  };
  const auto [rising, falling] = seen(*task());
  EXPECT_EQ(rising + falling, 32);
  EXPECT_GT(rising, 4);
  EXPECT_GT(falling, 4);
  EXPECT_EQ(seen(*task({"data.horizontal_flip=false"})).second, 0);
}

TEST_F(Unconditional, ClassesAreTheSubfoldersAndDroppedOnesTheLast) {
  const auto task = this->task(kClasses);
  std::set<std::int64_t> found;
  for (int step = 0; step < 8; ++step)
    for (const auto& label : task->loader().batch(step).at("class_labels").unbind())
      found.insert(label.item<std::int64_t>());
  EXPECT_EQ(found, (std::set<std::int64_t>{0, 1, 2}));
  EXPECT_NO_THROW(task->sample_grid());
  EXPECT_FALSE(this->task()->loader().batch(0).contains("class_labels"));
}

TEST_F(Unconditional, ATableOfOtherClassesIsRefused) {
  try {
    task({"unet.num_class_embeds=1"});
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()),
              "unet: 'num_class_embeds' is 1; expected 2, the classes of '" + (folder_ / "images").string() + "'");
  }
}

TEST_F(Unconditional, ARunThatStoppedResumesToTheSameWeights) {
  auto settings = kClasses;
  settings.insert(settings.end(), kHybrid.begin(), kHybrid.end());
  settings.push_back("unet.dropout=0.3");
  const auto json = recipe(settings);
  train_run("whole", json);
  train_run("parts", json, 2);
  train_run("parts", json);
  const auto whole = RunFolder(folder_ / "whole").newest(), parts = RunFolder(folder_ / "parts").newest();
  ASSERT_EQ(parts->step, 4);
  ASSERT_EQ(whole->tensors.size(), parts->tensors.size());
  for (const auto& [name, value] : whole->tensors) EXPECT_TRUE(torch::equal(value, parts->tensors.at(name))) << name;
}

TEST_F(Unconditional, TheExportNamesTheClassThatStandsForNone) {
  for (const auto& [settings, none] : std::vector<std::pair<std::vector<std::string>, std::int64_t>>{
           {kClasses, 2}, {{"unet.num_class_embeds=2"}, -1}}) {
    const auto run = "run" + std::to_string(none);
    train_run(run, recipe(settings));
    export_run(RunFolder(folder_ / run), folder_ / (run + "-export"), {});
    const auto config = read_json(folder_ / (run + "-export") / "unet" / "config.json");
    EXPECT_EQ(value_or<std::int64_t>(config, "_none_class", -1), none);
  }
}

TEST_F(Unconditional, DropoutIsLeftOutOfSamplesAndMeasures) {
  const auto with = task({"unet.dropout=0.5"}), without = task();
  EXPECT_EQ(with->evaluate(0), without->evaluate(0));
  EXPECT_TRUE(torch::equal(with->sample_grid(), without->sample_grid()));
}

TEST_F(Unconditional, BitsPerDimensionAreLoggedAtTheirIntervalAndMeasuredOfTheAverages) {
  const auto json = recipe({"bits_per_dimension.every=4", "bits_per_dimension.images=2"});
  train_run("run", json);
  std::ifstream log(folder_ / "run" / "log.jsonl");
  double logged = 0;
  int count = 0;
  for (std::string line; std::getline(log, line);) {
    const auto entry = Json::parse(line);
    if (!entry.contains("held_out_bpd")) continue;
    EXPECT_EQ(entry["step"], 4);
    logged = entry["held_out_bpd"].get<double>();
    ++count;
  }
  EXPECT_EQ(count, 1);
  const auto measured = measure_bits(context(), {.images = 2});
  EXPECT_DOUBLE_EQ(measured["held_out_bpd"].get<double>(), logged);
  EXPECT_EQ(measured["images"], 2);
  EXPECT_EQ(measured["timesteps"].size(), 20U);
}

TEST(UnconditionalRecipe, WhatDoesNotFitIsRefused) {
  for (const auto& [settings, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"data.format=lmdb"}, "r.json: data: 'format' is 'lmdb', expected one of pack, folder, mnist, cifar10"},
           {{"data.path="}, "'path' must name the images"},
           {{"data.resize=squash"}, "'resize' is 'squash', expected one of center_crop"},
           {{"data.pack=p"}, "r.json: data: unknown key 'pack'"},
           {{"data.format=mnist"}, "'held_out' is 2, expected 0: format mnist has a split of its own"},
           {{"data.image_size=9"}, "data: 'image_size' is 9; expected a multiple of 2, the network's factor"},
           {{"unet.layer_per_block=1"}, "unet: unknown key 'layer_per_block'; did you mean 'layers_per_block'?"},
           {{"unet.sample_size=16"}, "unet: 'sample_size' is 16; expected 8, the side of the images"},
           {{"unet.in_channels=4", "unet.out_channels=4"}, "unet: 'in_channels' is 4; expected 1 (grey) or 3 (RGB)"},
           {{"unet.out_channels=6"}, "unet: 'out_channels' is 6; expected 'in_channels', 3"},
           {{"unet.class_embed_type=timestep"}, "expected null: classes are learnt as a table"},
           {{"data.class_dropout=0.1"}, "data: 'class_dropout' needs a network with 'num_class_embeds'"},
           {{"loss.vlb_weight=0.1"}, "the scheduler's 'variance_type' is fixed_small, expected learned_range"},
           {{"scheduler.variance_type=learned_range"}, "expected twice the 'in_channels'"},
           {{"scheduler.variance_type=learned_range", "unet.out_channels=6"}, "loss: 'vlb_weight' is 0; expected more"},
           {{"scheduler._class_name=EulerDiscreteScheduler"}, "expected DDPMScheduler or DDIMScheduler"},
           {{"scheduler.beta_schedul=linear"}, "did you mean 'beta_schedule'?"},
           {{"sample.steps=21"}, "sample: 'steps' is 21; expected at most the scheduler's 20 timesteps"},
           {{"sample.eta=1"}, "sample: 'eta' is of DDIMScheduler"},
           {{"vae=folder"}, "scheduler: 'clip_sample' is true; expected false in latents"},
           {{"vae=folder", "scheduler.clip_sample=false", "bits_per_dimension.every=2"}, "they are of 8-bit pixels"},
           {{"bits_per_dimension.every=3"}, "'every' is 3, expected a multiple of 'sample_every', 2"},
           {{"bits_per_dimension.timesteps=21"}, "timesteps of the bound: 21, expected 2 to 20"}}) {
    const auto said = unconditional_refusal(settings);
    EXPECT_NE(said.find(message), std::string::npos) << settings.front() << ": " << said;
  }
  EXPECT_EQ(unconditional_refusal({}), "");
  EXPECT_EQ(unconditional_refusal(kHybrid), "");
  EXPECT_EQ(unconditional_refusal(kClasses), "");
}

}  // namespace
}  // namespace sfumato
