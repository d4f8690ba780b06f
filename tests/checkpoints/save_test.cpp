#include "checkpoints/save.h"

#include <gtest/gtest.h>

#include <set>

#include "checkpoints/files.h"
#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

std::set<std::string> listing(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

std::map<std::string, torch::Tensor> three_tensors() {
  return {{"a", torch::ones({4})}, {"b", torch::full({4}, 2)}, {"c", torch::full({20}, 3.0)}};
}

TEST(SaveWeights, WritesOneFileInTheDtypeAskedFor) {
  const auto folder = fresh_folder();
  save_weights(three_tensors(), folder, {.dtype = torch::kFloat16, .basename = "model"});
  EXPECT_EQ(listing(folder), (std::set<std::string>{"model.safetensors"}));
  const SafetensorsFile file(folder / "model.safetensors");
  EXPECT_EQ(file.dtype("a"), torch::kFloat16);
  EXPECT_EQ(file.dtype("b"), torch::kInt64) << "integers stay";
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(SaveWeights, CutsShardsBeforeTheyExceedTheSize) {
  const auto folder = fresh_folder();
  save_weights(three_tensors(), folder, {.max_shard_size = 48});  // a is 16 bytes, b 32, c 80
  const std::string base = "diffusion_pytorch_model";
  EXPECT_EQ(listing(folder),
            (std::set<std::string>{base + "-00001-of-00002.safetensors", base + "-00002-of-00002.safetensors",
                                   base + ".safetensors.index.json"}));
  const auto index = read_json(folder / (base + ".safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 128);
  EXPECT_EQ(index["weight_map"]["b"], base + "-00001-of-00002.safetensors");
  EXPECT_EQ(index["weight_map"]["c"], base + "-00002-of-00002.safetensors");
}

TEST(SaveWeights, RemovesWhatAnotherNumberOfShardsLeft) {
  const auto folder = fresh_folder();
  put(folder / "config.json", "{}");
  save_weights(three_tensors(), folder);
  save_weights(three_tensors(), folder, {.max_shard_size = 1});
  EXPECT_FALSE(fs::exists(folder / "diffusion_pytorch_model.safetensors"));
  save_weights(three_tensors(), folder);
  EXPECT_EQ(listing(folder), (std::set<std::string>{"config.json", "diffusion_pytorch_model.safetensors"}));
}

TEST(SaveWeights, LoadsBackFromShards) {
  const auto folder = fresh_folder();
  const auto weight = torch::randn({3, 4});
  save_weights({{"weight", weight}, {"bias", torch::ones({3})}}, folder, {.max_shard_size = 20});
  torch::nn::Linear linear(4, 3);
  load_weights(*linear, folder, {});
  EXPECT_TRUE(torch::equal(linear->weight, weight));
}

}  // namespace
}  // namespace sfumato
