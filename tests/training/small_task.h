#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"
#include "core/random.h"
#include "small_unet.h"
#include "training/kinds/text_to_image/text_to_image_task.h"
#include "training/network_parameters.h"

namespace sfumato {

inline constexpr std::int64_t kScenes = 8;

inline void write_small_pack(const std::filesystem::path& path) {
  const auto texts = torch::zeros({1}, torch::kUInt8);
  const auto images = torch::randint(0, 256, {kScenes, 3, 16, 16}, seeded_generator(3), torch::kFloat32);
  write_safetensors(path,
                    {{"images", images.to(torch::kUInt8)},
                     {"captions.ids", torch::ones({kScenes, 2}, torch::kInt32)},
                     {"captions.bytes", texts},
                     {"captions.offsets", torch::arange(kScenes + 1, torch::kInt64).clamp_max(1)},
                     {"empty.ids", torch::zeros({2}, torch::kInt32)},
                     {"probes.ids", torch::ones({1, 2}, torch::kInt32)},
                     {"probes.bytes", texts},
                     {"probes.offsets", torch::arange(2, torch::kInt64)},
                     {"split.held_out", torch::full({1}, 2, torch::kInt64)}},
                    {{"format", "sfumato-pack"}, {"version", "1"}});
}

inline void write_small_vae(const std::filesystem::path& folder) {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8};
  config.norm_num_groups = 4;
  AutoencoderKL vae(config);
  initialize(*vae, seeded_generator(1));
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : vae->named_parameters()) weights[item.key()] = item.value().detach();
  save_weights(weights, folder);
  write_json(folder / "config.json", Json(config.to_json()));
}

/// Tasks of one recipe in a folder that is removed after the test.
class SmallTask : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    write_small_vae(folder_ / "vae");
    write_small_pack(folder_ / "pack");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TextToImageRecipe recipe(double dropout) const {
    auto unet = small_unet_config();
    unet.dropout = dropout;
    TextToImageRecipe recipe;
    recipe.seed = 7;
    recipe.batch_size = 4;
    recipe.data.packs = {folder_ / "pack"};
    recipe.vae = (folder_ / "vae").string();
    recipe.unet = Json(unet.to_json());
    recipe.text_encoder =
        T5EncoderModelConfig{.vocab_size = 4, .d_model = 16, .d_kv = 8, .d_ff = 32, .num_layers = 1, .num_heads = 2}
            .to_json();
    recipe.scheduler = Json::object();
    recipe.sample = {.count = 1, .steps = 2};
    return recipe;
  }

  /// Returns a task whose prediction is not zero, as it would be before the first update.
  std::unique_ptr<TextToImageTask> task(double dropout) const {
    const torch::NoGradGuard no_grad;
    const auto recipe = this->recipe(dropout);
    auto task = std::make_unique<TextToImageTask>(recipe, TaskContext{.run = RunFolder(folder_ / "run")});
    for (auto& [name, parameter] : task->objective().tensors().optimized)
      if (name == "unet.conv_out.weight") parameter.normal_(0, 0.1, seeded_generator(5));
    return task;
  }

  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("sfumato-small-task-" + std::to_string(::getpid()));
};

}  // namespace sfumato
