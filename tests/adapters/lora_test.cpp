#include "adapters/lora.h"

#include <gtest/gtest.h>

#include "adapters/lora_file.h"
#include "checkpoints/files.h"
#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "placements.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

using Tensors = std::map<std::string, torch::Tensor>;

/// A merge rounds once or twice more often in float32 than the separate branches do.
constexpr double kTolerance = 1e-5;

/// One linear layer, named "layer" in files, and one convolution, "conv".
class LoraMerge : public ::testing::Test {
 protected:
  torch::Tensor merged(const std::string& name, const Tensors& tensors, double weight = 1) const {
    const auto path = fresh_folder() / "x.safetensors";
    write_safetensors(path, tensors, metadata_);
    apply_loras({{path, weight}}, weights_);
    return weights_.at(name);
  }

  std::string refusal(const Tensors& tensors) const {
    const auto linear = weights_.at("layer").clone();
    const auto message = error_of([&] { merged("layer", tensors); });
    EXPECT_TRUE(torch::equal(weights_.at("layer"), linear)) << "changed in spite of " << message;
    return message;
  }

  LoraWeights weights_{{"layer", torch::randn({6, 5})}, {"conv", torch::randn({4, 3, 3, 3})}};
  std::map<std::string, std::string> metadata_;
};

TEST_F(LoraMerge, RemovingItRestoresTheSameBitsInTheSameMemory) {
  const auto linear = weights_.at("layer").clone();
  const auto* memory = weights_.at("layer").data_ptr();
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path,
                    {{"layer.lora_down.weight", torch::randn({2, 5})}, {"layer.lora_up.weight", torch::randn({6, 2})}});
  const auto merged = apply_loras({{path, 0.3}}, weights_);
  EXPECT_FALSE(torch::equal(weights_.at("layer"), linear));
  remove_loras(merged);
  EXPECT_TRUE(torch::equal(weights_.at("layer"), linear));
  EXPECT_EQ(weights_.at("layer").data_ptr(), memory);
}

TEST_F(LoraMerge, ALinearLayerGivesWhatItsBranchAdds) {
  const auto x = torch::randn({7, 5}), down = torch::randn({2, 5}), up = torch::randn({6, 2});
  const auto alone = torch::linear(x, weights_.at("layer"));
  const auto branch = torch::linear(torch::linear(x, down), up);
  const auto weight = merged(
      "layer", {{"layer.lora_down.weight", down}, {"layer.lora_up.weight", up}, {"layer.alpha", torch::tensor(8.0F)}},
      0.5);
  // weight 0.5, alpha 8, rank 2: 0.5 * 8 / 2 = 2.
  EXPECT_TRUE(torch::allclose(torch::linear(x, weight), alone + 2 * branch, kTolerance, kTolerance));
}

TEST_F(LoraMerge, DynKeepsTheFirstRanksAndTheScaleOfAll) {
  const auto down = torch::randn({4, 5}), up = torch::randn({6, 4});
  const auto before = weights_.at("layer").clone();
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(
      path, {{"layer.lora_down.weight", down}, {"layer.lora_up.weight", up}, {"layer.alpha", torch::tensor(2.0F)}});
  apply_loras({{.path = path, .weight = 1, .dyn = 3}}, weights_);
  const auto expected = before + 0.5 * up.narrow(1, 0, 3).matmul(down.narrow(0, 0, 3));  // alpha / rank = 2 / 4
  EXPECT_TRUE(torch::allclose(weights_.at("layer"), expected, kTolerance, kTolerance));
  EXPECT_FALSE(torch::allclose(weights_.at("layer"), before + 0.5 * up.matmul(down), 0.01, 0.01));
}

TEST_F(LoraMerge, DynIsRefusedByWhatHasNoUpAndDown) {
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, {{"layer.hada_w1_a", torch::ones({6, 2})},
                           {"layer.hada_w1_b", torch::ones({2, 5})},
                           {"layer.hada_w2_a", torch::ones({6, 2})},
                           {"layer.hada_w2_b", torch::ones({2, 5})}});
  const auto message = error_of([&] { apply_loras({{.path = path, .weight = 1, .dyn = 3}}, weights_); });
  EXPECT_NE(message.find("dyn 3"), std::string::npos) << message;
}

TEST_F(LoraMerge, AConvolutionGivesWhatItsBranchOfTwoAdds) {
  const auto x = torch::randn({1, 3, 8, 8}), down = torch::randn({2, 3, 3, 3}), up = torch::randn({4, 2, 1, 1});
  const auto expected =
      torch::conv2d(x, weights_.at("conv"), {}, 1, 1) + torch::conv2d(torch::conv2d(x, down, {}, 1, 1), up);
  const auto weight = merged("conv", {{"conv.lora_A.weight", down}, {"conv.lora_B.weight", up}});
  EXPECT_TRUE(torch::allclose(torch::conv2d(x, weight, {}, 1, 1), expected, kTolerance, kTolerance));
}

TEST_F(LoraMerge, AConvolutionInThreePartsGivesWhatTheyAddOneAfterTheOther) {
  const auto x = torch::randn({1, 3, 8, 8});
  const auto down = torch::randn({2, 3, 1, 1}), mid = torch::randn({2, 2, 3, 3}), up = torch::randn({4, 2, 1, 1});
  const auto branch = torch::conv2d(torch::conv2d(torch::conv2d(x, down), mid, {}, 1, 1), up);
  const auto expected = torch::conv2d(x, weights_.at("conv"), {}, 1, 1) + branch;
  const auto weight =
      merged("conv", {{"conv.lora_down.weight", down}, {"conv.lora_mid.weight", mid}, {"conv.lora_up.weight", up}});
  EXPECT_TRUE(torch::allclose(torch::conv2d(x, weight, {}, 1, 1), expected, kTolerance, kTolerance));
}

TEST_F(LoraMerge, ALinearLayerTakesAOneByOneConvolutions) {
  const auto down = torch::randn({2, 5}), up = torch::randn({6, 2});
  const auto expected = weights_.at("layer") + up.matmul(down);
  const auto weight = merged(
      "layer", {{"layer.lora_down.weight", down.view({2, 5, 1, 1})}, {"layer.lora_up.weight", up.view({6, 2, 1, 1})}});
  EXPECT_TRUE(torch::allclose(weight, expected, kTolerance, kTolerance));
}

TEST_F(LoraMerge, SeveralFilesAddUpAndRoundOnce) {
  const auto folder = fresh_folder();
  std::vector<Lora> loras;
  auto expected = torch::ones({6, 5});
  weights_["layer"] = expected.to(torch::kBFloat16);
  // Each adds a quarter of bfloat16's spacing at 1: rounded one by one, all would be lost.
  for (int i = 0; i < 8; ++i) {
    const auto path = folder / (std::to_string(i) + ".safetensors");
    write_safetensors(path,
                      {{"layer.lora_A.weight", torch::ones({1, 5})}, {"layer.lora_B.weight", torch::ones({6, 1})}});
    loras.push_back({path, 1.0 / 512});
  }
  apply_loras(loras, weights_);
  EXPECT_EQ(weights_.at("layer").scalar_type(), torch::kBFloat16);
  EXPECT_TRUE(torch::equal(weights_.at("layer").to(torch::kFloat32), expected + 8.0 / 512));
}

TEST_F(LoraMerge, ATextEncoderCanHaveAWeightOfItsOwn) {
  weights_ = {{"lora_unet_x", torch::zeros({6, 5})}, {"x", torch::zeros({6, 5})}};
  Tensors tensors;
  for (const std::string name : {"lora_te_x", "lora_te2_y", "text_encoder.z", "text_encoder_2.u"})
    weights_[name] = torch::zeros({6, 5});
  for (const auto& [name, weight] : weights_) {
    tensors[name + ".lora_A.weight"] = torch::ones({1, 5});
    tensors[name + ".lora_B.weight"] = torch::ones({6, 1});
  }
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, tensors);
  apply_loras({{.path = path, .weight = 0.25, .text_encoder_weight = 2}, {.path = path, .weight = 4}}, weights_);
  for (const auto& [name, weight] : weights_)
    EXPECT_EQ(weight.min().item<float>(), name.find("te") == std::string::npos ? 4.25 : 6) << name;
}

TEST_F(LoraMerge, MetadataOfPeftGivesTheAlphas) {
  weights_ = {{"unet.layer", torch::zeros({6, 5})}, {"unet.inner.conv", torch::zeros({6, 5})}};
  metadata_ = {{"lora_adapter_metadata", R"({"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"conv": 2}})"}};
  const Tensors tensors = {{"unet.layer.lora_A.weight", torch::ones({4, 5})},
                           {"unet.layer.lora_B.weight", torch::ones({6, 4})},
                           {"unet.inner.conv.lora_A.weight", torch::ones({4, 5})},
                           {"unet.inner.conv.lora_B.weight", torch::ones({6, 4})}};
  merged("unet.layer", tensors);
  EXPECT_EQ(weights_.at("unet.layer").min().item<float>(), 8);       // 4 ones, times 8 / 4
  EXPECT_EQ(weights_.at("unet.inner.conv").max().item<float>(), 2);  // 4 ones, times 2 / 4
  metadata_["lora_adapter_metadata"] = R"({"unet.lora_alpha": 8, "unet.use_rslora": true})";
  weights_.at("unet.layer").zero_();
  merged("unet.layer", tensors);
  EXPECT_EQ(weights_.at("unet.layer").min().item<float>(), 16);  // 4 ones, times 8 / sqrt(4)
}

TEST_F(LoraMerge, OnlyWhatChangesLeavesTheMappedFile) {
  const auto folder = fresh_folder();
  write_safetensors(folder / "model.safetensors", {{"weight", torch::randn({6, 5})}, {"bias", torch::zeros({6})}});
  torch::nn::Linear changed(5, 6), other(5, 6);
  for (auto linear : {changed, other}) load_weights(*linear, folder / "model.safetensors", {});
  const auto *mapped = changed->weight.data_ptr(), *untouched = other->weight.data_ptr();
  write_safetensors(folder / "x", {{"a.lora_A.weight", torch::ones({1, 5})}, {"a.lora_B.weight", torch::ones({6, 1})}});
  apply_loras({{folder / "x"}}, {{"a", changed->weight}, {"b", other->weight}});
  EXPECT_NE(changed->weight.data_ptr(), mapped);
  EXPECT_EQ(other->weight.data_ptr(), untouched);
  const torch::NoGradGuard no_gradients;
  changed->weight.add_(1);  // its own memory is writable
  EXPECT_TRUE(torch::allclose(changed->weight, other->weight + 2, kTolerance, kTolerance));
}

TEST_F(LoraMerge, ListsAllThatDoesNotFitAndChangesNothing) {
  const auto message = refusal({{"layer.lora_down.weight", torch::ones({2, 5})},
                                {"layer.lora_up.weight", torch::ones({6, 2})},
                                {"conv.lora_down.weight", torch::ones({2, 3})},
                                {"conv.lora_up.weight", torch::ones({4, 2})},
                                {"elsewhere.lora_down.weight", torch::ones({2, 3})},
                                {"elsewhere.lora_up.weight", torch::ones({4, 2})}});
  EXPECT_NE(message.find("does not fit the model: 1 unexpected: \"elsewhere\"; 1 misshapen: \"conv\" has down [2, 3] "
                         "and up [4, 2] for a weight [4, 3, 3, 3]"),
            std::string::npos)
      << message;
}

TEST_F(LoraMerge, CutsTheListAfterTwenty) {
  Tensors tensors;
  for (int i = 10; i < 35; ++i) {
    tensors["other" + std::to_string(i) + ".lora_down.weight"] = torch::ones({2, 5});
    tensors["other" + std::to_string(i) + ".lora_up.weight"] = torch::ones({6, 2});
  }
  const auto message = refusal(tensors);
  EXPECT_NE(message.find("25 unexpected: "), std::string::npos) << message;
  EXPECT_NE(message.find("\"other15\", ..."), std::string::npos) << message;
}

TEST_F(LoraMerge, RefusesIncompleteLayersAndKeysOfSomethingElse) {
  EXPECT_NE(refusal({{"layer.lora_down.weight", torch::ones({2, 5})}}).find("1 incomplete: \"layer\" (no up)"),
            std::string::npos);
  EXPECT_NE(refusal({{"layer.lora_up.weight", torch::ones({6, 2})}}).find("1 incomplete: \"layer\" (no down)"),
            std::string::npos);
  EXPECT_NE(refusal({{"layer.weight", torch::ones({6, 5})}}).find("is no LoRA: 1 unexpected: \"layer.weight\""),
            std::string::npos);
  EXPECT_NE(refusal({{"layer.lora_down.weight", torch::ones({2, 5})}, {"layer.lora_up.weight", torch::ones({6, 3})}})
                .find("parts of different ranks"),
            std::string::npos);
  EXPECT_NE(refusal({}).find("is no LoRA: it is empty"), std::string::npos);
}

TEST_F(LoraMerge, RefusesAWeightThatIsGivenTwice) {
  weights_["lora_unet_layer"] = weights_.at("layer");
  const auto down = torch::ones({2, 5}), up = torch::ones({6, 2});
  const auto message = refusal({{"layer.lora_down.weight", down},
                                {"layer.lora_up.weight", up},
                                {"lora_unet_layer.lora_down.weight", down},
                                {"lora_unet_layer.lora_up.weight", up}});
  EXPECT_NE(message.find("(its weight is given twice)"), std::string::npos) << message;
}

TEST_F(LoraMerge, NamesOtherMethods) {
  const std::vector<std::pair<std::string, std::string>> methods = {
      {"oft_blocks", "OFT"}, {"a1.weight", "GLoRA"}, {"b1.weight", "GLoRA"}, {"on_input", "IA3"}};
  for (const auto& [part, method] : methods) {
    const auto message = refusal({{"layer." + part, torch::ones({1})}});
    EXPECT_NE(message.find("holds " + method + " (\"layer." + part + "\"), which is not supported"), std::string::npos)
        << message;
  }
}

class LoraMergeOn : public OnPlacement {};

// Moving the weights before the merge or after it gives the same weights: one rounding to the dtype.
TEST_P(LoraMergeOn, GivesTheWeightsOfTheCpuInTheirMemoryFormat) {
  const auto layer = torch::randn({6, 5}), conv = torch::randn({4, 3, 3, 3});
  const auto path = fresh_folder() / "x.safetensors";
  write_safetensors(path, {{"layer.lora_A.weight", torch::randn({2, 5})},
                           {"layer.lora_B.weight", torch::randn({6, 2})},
                           {"conv.lora_A.weight", torch::randn({2, 3, 3, 3})},
                           {"conv.lora_B.weight", torch::randn({4, 2, 1, 1})}});
  const auto placed = [](const torch::Tensor& weight) { return weight.to(GetParam().device, GetParam().dtype); };
  const LoraWeights expected{{"layer", placed(layer).to(torch::kCPU, torch::kFloat32)},
                             {"conv", placed(conv).to(torch::kCPU, torch::kFloat32)}};
  const LoraWeights weights{{"layer", placed(layer)},
                            {"conv", placed(conv).contiguous(at::MemoryFormat::ChannelsLast)}};
  apply_loras({{path, 0.5}}, expected);
  apply_loras({{path, 0.5}}, weights);
  for (const auto& [name, weight] : weights) {
    EXPECT_TRUE(weight.device() == GetParam().device && weight.scalar_type() == GetParam().dtype) << name;
    // In float32 the products are summed in another order.
    EXPECT_LE(relative_error(weight, expected.at(name)), 4 * roundoff(GetParam().dtype)) << name;
  }
  EXPECT_TRUE(weights.at("conv").is_contiguous(at::MemoryFormat::ChannelsLast));
}

INSTANTIATE_TEST_SUITE_P(Placements, LoraMergeOn, testing::ValuesIn(placements()), placement_name);

}  // namespace
}  // namespace sfumato
