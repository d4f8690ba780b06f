#include "checkpoints/load.h"

#include <gtest/gtest.h>

#include "checkpoints/files.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

using Tensors = std::map<std::string, torch::Tensor>;

Tensors linear_weights() {
  return {{"weight", torch::randn({3, 4})}, {"bias", torch::randn({3})}};
}

void expect_loads(const fs::path& path, const Tensors& expected) {
  torch::nn::Linear linear(4, 3);
  load_weights(*linear, path, {});
  EXPECT_TRUE(torch::equal(linear->weight, expected.at("weight")));
  EXPECT_TRUE(torch::equal(linear->bias, expected.at("bias")));
}

std::string load_error(torch::nn::Module& module, const fs::path& path, const KeyRename& rename = {}) {
  return error_of([&] { load_weights(module, path, {}, rename); });
}

std::string load_error(const fs::path& path) {
  return load_error(*torch::nn::Linear(4, 3), path);
}

TEST(LoadWeights, FindsTheFileOfAFolder) {
  const auto weights = linear_weights();
  for (const char* name : {"diffusion_pytorch_model.safetensors", "model.safetensors", "model.fp16.safetensors",
                           "diffusion_pytorch_model.fp16.safetensors"}) {
    const auto folder = fresh_folder();
    write_safetensors(folder / name, weights);
    expect_loads(folder, weights);
    expect_loads(folder / name, weights);
  }
}

TEST(LoadWeights, PrefersThePlainFileToTheVariant) {
  const auto folder = fresh_folder();
  const auto weights = linear_weights();
  write_safetensors(folder / "model.fp16.safetensors", linear_weights());
  write_safetensors(folder / "model.safetensors", weights);
  expect_loads(folder, weights);
}

TEST(LoadWeights, ReadsShardsByTheirIndex) {
  const auto weights = linear_weights();
  for (const char* name :
       {"model.safetensors.index.json", "model.safetensors.index.fp16.json", "model.fp16.safetensors.index.json"}) {
    const auto folder = fresh_folder();
    write_safetensors(folder / "one", {{"weight", weights.at("weight")}});
    write_safetensors(folder / "two", {{"bias", weights.at("bias")}});
    write_json(folder / name, {{"weight_map", {{"weight", "one"}, {"bias", "two"}}}});
    expect_loads(folder, weights);
  }
}

TEST(LoadWeights, RefusesShardsOutsideTheFolder) {
  const auto folder = fresh_folder();
  write_safetensors(folder / "outside.safetensors", linear_weights());
  const auto index = folder / "inner" / "model.safetensors.index.json";
  for (const std::string shard : {"../outside.safetensors", "", "..", ".", "/outside.safetensors", "a/b"}) {
    write_json(index, {{"weight_map", {{"weight", shard}}}});
    EXPECT_EQ(load_error(folder / "inner"),
              "'" + index.string() + "': shard \"" + shard + "\" is not a file name within the folder");
  }
}

TEST(LoadWeights, RefusesAnIndexThatLies) {
  const auto folder = fresh_folder();
  const auto index = folder / "model.safetensors.index.json";
  write_safetensors(folder / "one", linear_weights());
  write_json(index, {{"weight_map", {{"weight", "one"}, {"gone", "one"}}}});
  EXPECT_EQ(load_error(folder), "'" + index.string() + R"(' lists "gone" in "one", which does not hold it)");
  write_json(index, {{"weight_map", {{"weight", "none"}}}});
  EXPECT_NE(load_error(folder).find("No such file"), std::string::npos);
  write_json(index, {{"weight_map", {{"weight", 1}}}});
  EXPECT_NE(load_error(folder).find("the shard of \"weight\" is not a string"), std::string::npos);
  put(index, "[]");
  EXPECT_NE(load_error(folder).find("expected an object with weight_map"), std::string::npos);
  write_safetensors(folder / "two", linear_weights());
  write_json(index, {{"weight_map", {{"weight", "one"}, {"bias", "two"}}}});
  EXPECT_NE(load_error(folder).find("is in an earlier shard as well"), std::string::npos);
}

TEST(LoadWeights, SaysWhatAFolderWithoutWeightsLacks) {
  const auto folder = fresh_folder();
  EXPECT_EQ(load_error(folder / "no"), "'" + (folder / "no").string() + "' does not exist");
  EXPECT_NE(load_error(folder).find("holds no weights"), std::string::npos);
}

TEST(LoadWeights, ListsAllThatDoesNotFitAndChangesNothing) {
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, {{"weight", torch::ones({2, 4})}, {"other", torch::ones({1})}});
  torch::nn::Linear linear(4, 3);
  const auto before = linear->weight.detach().clone();
  EXPECT_EQ(load_error(*linear, path), "'" + path.string() +
                                           "' does not fit Linear: 1 missing: \"bias\"; 1 unexpected: \"other\"; " +
                                           "1 misshapen: \"weight\" is [2, 4], expected [3, 4]");
  EXPECT_TRUE(torch::equal(linear->weight, before));
}

TEST(LoadWeights, CutsTheListAfterTwenty) {
  const auto path = fresh_folder() / "x.safetensors";
  auto tensors = linear_weights();
  for (int i = 10; i < 35; ++i) tensors["extra" + std::to_string(i)] = torch::ones({1});
  write_safetensors(path, tensors);
  const auto message = load_error(path);
  EXPECT_NE(message.find("25 unexpected: "), std::string::npos) << message;
  EXPECT_NE(message.find("\"extra15\", ..."), std::string::npos) << message;
  EXPECT_EQ(message.find("extra30"), std::string::npos) << message;
}

TEST(LoadWeights, RefusesQuantisedWeights) {
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, {{"weight", torch::ones({3, 4}, torch::kInt8)}, {"bias", torch::ones({3})}});
  EXPECT_NE(load_error(path).find("\"weight\" is I8, expected a floating-point dtype"), std::string::npos);
}

TEST(LoadWeights, RenamesAndIgnoresKeys) {
  const auto path = fresh_folder() / "x.safetensors";
  const auto weights = linear_weights();
  write_safetensors(
      path,
      {{"old.weight", weights.at("weight")}, {"old.bias", weights.at("bias")}, {"position_ids", torch::arange(3)}});
  torch::nn::Linear linear(4, 3);
  load_weights(*linear, path, {},
               [](const std::string& key) { return key.starts_with("old.") ? key.substr(4) : std::string(); });
  EXPECT_TRUE(torch::equal(linear->weight, weights.at("weight")));
}

TEST(LoadWeights, RefusesTwoKeysForOneName) {
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, {{"weight", torch::ones({3, 4})}, {"bias", torch::ones({3})}, {"beta", torch::ones({3})}});
  const auto message =
      load_error(*torch::nn::Linear(4, 3), path, [](const std::string& key) { return key == "beta" ? "bias" : key; });
  EXPECT_NE(message.find("1 unexpected: \"bias\" (\"bias\" is given twice)"), std::string::npos) << message;
}

TEST(LoadWeights, ConvertsWhatFloatsAndLeavesIntegers) {
  const auto path = fresh_folder() / "x.safetensors";
  torch::nn::BatchNorm2d source(2), norm(2);
  Tensors tensors{{"num_batches_tracked", torch::tensor(std::int64_t{7})}};
  for (const char* name : {"weight", "bias", "running_mean", "running_var"})
    tensors[name] = torch::tensor({0.5, 1.5}, torch::kFloat16);
  write_safetensors(path, tensors);
  load_weights(*norm, path, {.dtype = torch::kBFloat16});
  EXPECT_EQ(norm->weight.scalar_type(), torch::kBFloat16);
  EXPECT_EQ(norm->weight[1].item<float>(), 1.5F);
  EXPECT_EQ(norm->running_mean.scalar_type(), torch::kBFloat16);
  EXPECT_EQ(norm->num_batches_tracked.scalar_type(), torch::kInt64);
  EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 7);
}

TEST(LoadWeights, FillsAModuleRegisteredTwiceThroughEitherNameOrBoth) {
  const auto path = fresh_folder() / "x.safetensors";
  const auto weights = linear_weights();
  write_safetensors(
      path, {{"b.weight", weights.at("weight")}, {"a.bias", weights.at("bias")}, {"b.bias", weights.at("bias")}});
  torch::nn::Module both;
  torch::nn::Linear shared(4, 3);
  both.register_module("a", shared.ptr());
  both.register_module("b", shared.ptr());
  load_weights(both, path, {});
  EXPECT_TRUE(torch::equal(shared->weight, weights.at("weight")));
  EXPECT_TRUE(torch::equal(shared->bias, weights.at("bias")));
}

/// True if the file is still mapped when only a module could keep the map (read from /proc/self/maps).
bool is_mapped(const fs::path& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (line.find(path.string()) != std::string::npos) return true;
  return false;
}

TEST(LoadWeights, ViewsTheMapUnlessMemoryOfItsOwnIsAskedForOrConversionNeeded) {
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, linear_weights());
  torch::nn::Linear viewing(4, 3);
  load_weights(*viewing, path, {});
  EXPECT_TRUE(is_mapped(path));
  viewing = nullptr;
  EXPECT_FALSE(is_mapped(path));

  torch::nn::Linear training(4, 3), converted(4, 3);
  load_weights(*training, path, {}, KeyRename(), {.private_memory = true});
  load_weights(*converted, path, {.dtype = torch::kBFloat16});
  EXPECT_FALSE(is_mapped(path));
  const torch::NoGradGuard no_grad;
  training->weight.add_(1);
  EXPECT_TRUE(training->weight.requires_grad());
}

}  // namespace
}  // namespace sfumato
