#include <gtest/gtest.h>

#include "adapters/lora.h"
#include "checkpoints/files.h"
#include "checkpoints/safetensors.h"
#include "placements.h"

namespace sfumato {
namespace {

using LayerParts = std::map<std::string, torch::Tensor>;

/// Sixteen roundings of float32: a delta is a few sums of two or three terms, a product and a sum.
constexpr double kMergeTolerance = 16 * 0x1p-24;

/// A linear layer [6, 4], named "layer" in files, a convolution [4, 6, 3, 3], "conv", and its bias.
class LoraMethods : public ::testing::Test {
 protected:
  std::filesystem::path file(const LayerParts& tensors) {
    const auto path = folder_ / (std::to_string(++files_) + ".safetensors");
    write_safetensors(path, tensors);
    return path;
  }

  torch::Tensor merged(const std::string& name, const LayerParts& tensors, double weight = 1) {
    apply_loras({{file(tensors), weight}}, weights_);
    return weights_.at(name);
  }

  /// Error for a file, which must then change nothing.
  std::string fault(const LayerParts& tensors) {
    const auto before = weights_.at("layer").clone();
    const auto path = file(tensors);
    const auto message = error_of([&] { apply_loras({{path}}, weights_); });
    EXPECT_TRUE(torch::equal(weights_.at("layer"), before)) << "changed in spite of " << message;
    return message;
  }

  void expect_fault(const LayerParts& tensors, const std::string& text) {
    const auto message = fault(tensors);
    EXPECT_NE(message.find(text), std::string::npos) << message;
  }

  LoraWeights weights_{{"layer", torch::randn({6, 4})},
                       {"conv", torch::randn({4, 6, 3, 3})},
                       {"conv.bias", torch::randn({4})},
                       {"norm", torch::randn({6})},
                       {"norm.bias", torch::randn({6})}};

 private:
  std::filesystem::path folder_ = fresh_folder();
  int files_ = 0;
};

torch::Tensor matrix(std::vector<float> numbers, std::int64_t rows) {
  return torch::tensor(numbers).view({rows, -1});
}

LayerParts loha(const std::string& layer = "layer") {
  return {{layer + ".hada_w1_a", torch::randn({6, 2})},
          {layer + ".hada_w1_b", torch::randn({2, 4})},
          {layer + ".hada_w2_a", torch::randn({6, 2})},
          {layer + ".hada_w2_b", torch::randn({2, 4})}};
}

TEST_F(LoraMethods, LohaMultipliesTwoProductsEntryByEntry) {
  weights_["layer"] = torch::zeros({2, 2});
  // [1 2; 3 6] * [5 6; 10 12], alpha 3 of rank 1.
  const auto weight = merged("layer", {{"layer.hada_w1_a", matrix({1, 3}, 2)},
                                       {"layer.hada_w1_b", matrix({1, 2}, 1)},
                                       {"layer.hada_w2_a", matrix({1, 2}, 2)},
                                       {"layer.hada_w2_b", matrix({5, 6}, 1)},
                                       {"layer.alpha", torch::tensor(3.0F)}});
  EXPECT_TRUE(torch::equal(weight, matrix({15, 36, 90, 216}, 2))) << weight;
}

TEST_F(LoraMethods, LokrPutsTheSecondFactorInEachPlaceOfTheFirst) {
  weights_["layer"] = torch::zeros({2, 4});
  const LayerParts whole = {{"layer.lokr_w1", matrix({1, 2}, 1)}, {"layer.lokr_w2", matrix({1, 3, 5, 7}, 2)}};
  const auto expected = matrix({1, 3, 2, 6, 5, 7, 10, 14}, 2);
  EXPECT_TRUE(torch::equal(merged("layer", whole), expected)) << weights_.at("layer");
}

TEST_F(LoraMethods, LokrsAlphaCountsOnlyWhereAFactorIsInFactors) {
  weights_["layer"] = torch::zeros({2, 4});
  LayerParts parts = {{"layer.lokr_w1", torch::ones({1, 2})},
                      {"layer.lokr_w2", torch::ones({2, 2})},
                      {"layer.alpha", torch::tensor(8.0F)}};
  EXPECT_TRUE(torch::equal(merged("layer", parts), torch::ones({2, 4})));
  parts.erase("layer.lokr_w2");
  parts["layer.lokr_w2_a"] = torch::ones({2, 4});
  parts["layer.lokr_w2_b"] = torch::ones({4, 2});
  weights_["layer"] = torch::zeros({2, 4});
  EXPECT_TRUE(torch::equal(merged("layer", parts), torch::full({2, 4}, 8.0F)));  // 4 ones, times 8 / 4
}

TEST_F(LoraMethods, DifferencesAreAddedToWeightsBiasesAndNorms) {
  auto expected = weights_;
  for (auto& [name, weight] : expected) weight = weight + 0.5;
  const auto path = file({{"layer.diff", torch::ones({6, 4})},
                          {"conv.diff", torch::ones({4, 6, 3, 3})},
                          {"conv.diff_b", torch::ones({4})},
                          {"norm.w_norm", torch::ones({6})},
                          {"norm.b_norm", torch::ones({6})}});
  apply_loras({{path, 0.5}}, weights_);
  for (const auto& [name, weight] : expected) EXPECT_TRUE(torch::equal(weights_.at(name), weight)) << name;
}

/// A LoRA that consists only of DoRA's lengths.
LayerParts lengths(const torch::Tensor& magnitude, const std::string& part = ".dora_scale") {
  return {{"layer.lora_down.weight", torch::zeros({1, 4})},
          {"layer.lora_up.weight", torch::zeros({6, 1})},
          {"layer" + part, magnitude}};
}

TEST_F(LoraMethods, DoraGivesEachOutputItsLength) {
  const auto before = weights_.at("layer");
  const auto magnitude = torch::arange(1, 7).to(torch::kFloat32);
  for (const auto& sizes : {std::vector<std::int64_t>{6, 1}, {6}, {6, 1, 1, 1}}) {
    weights_["layer"] = before.clone();
    const auto weight = merged("layer", lengths(magnitude.view(sizes)));
    EXPECT_LT(relative_error(weight.norm(2, 1), magnitude), kMergeTolerance);
    EXPECT_LT(relative_error(weight / weight.norm(2, 1, true), before / before.norm(2, 1, true)), kMergeTolerance);
  }
}

TEST_F(LoraMethods, PeftsMagnitudesAreTheOutputsEvenWhereTheyLieAcross) {
  weights_["layer"] = torch::randn({4, 4});
  const auto magnitude = torch::arange(1, 5).to(torch::kFloat32);
  auto parts = lengths(magnitude.view({1, 4, 1, 1}), ".lora_magnitude_vector");
  parts["layer.lora_up.weight"] = torch::zeros({4, 1});
  EXPECT_LT(relative_error(merged("layer", parts).norm(2, 1), magnitude), kMergeTolerance);
}

TEST_F(LoraMethods, DoraGivesEachInputItsLengthWhereTheScaleLiesAcross) {
  const auto magnitude = torch::arange(1, 5).to(torch::kFloat32);
  const auto weight = merged("layer", lengths(magnitude.view({1, 4})));
  EXPECT_LT(relative_error(weight.norm(2, 0), magnitude), kMergeTolerance);
}

TEST_F(LoraMethods, OfDoraAWeightTakesAPartOfTheWay) {
  const auto before = weights_.at("layer").clone();
  const auto path = file(lengths(torch::full({6, 1}, 2.0F)));
  const auto whole = 2 * before / before.norm(2, 1, true);
  apply_loras({{path, 0.25}}, weights_);
  EXPECT_LT(relative_error(weights_.at("layer"), before + 0.25 * (whole - before)), kMergeTolerance);
}

TEST_F(LoraMethods, AnOutputOfZerosStaysOne) {
  weights_["layer"].zero_();
  EXPECT_TRUE(torch::equal(merged("layer", lengths(torch::full({6, 1}, 100.0F))), torch::zeros({6, 4})));
}

// A file after DoRA's adds to its vectors; a file before it is scaled with them.
TEST_F(LoraMethods, DoraTakesTheFilesInTheirOrder) {
  const auto before = weights_.at("layer").clone();
  const auto difference = torch::randn({6, 4});
  const Lora dora{file(lengths(torch::ones({6, 1})))}, other{file({{"layer.diff", difference}}), 0.5};
  apply_loras({dora, other}, weights_);
  EXPECT_LT(relative_error(weights_.at("layer"), before / before.norm(2, 1, true) + 0.5 * difference), kMergeTolerance);
  weights_["layer"] = before.clone();
  apply_loras({other, dora}, weights_);
  const auto sum = before + 0.5 * difference;
  EXPECT_LT(relative_error(weights_.at("layer"), sum / sum.norm(2, 1, true)), kMergeTolerance);
}

TEST_F(LoraMethods, NamesWhatIsMissing) {
  for (const std::string part : {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}) {
    auto parts = loha();
    parts.erase("layer." + part);
    expect_fault(parts, "1 incomplete: \"layer\" (no " + part + ")");
  }
  auto parts = loha();
  parts["layer.hada_w1_a"] = torch::ones({2, 6});
  parts["layer.hada_t1"] = torch::ones({2, 2, 3, 3});
  expect_fault(parts, "\"layer\" (no hada_t2)");
  const auto factor = torch::ones({2, 2});
  expect_fault({{"layer.lokr_w1", factor}}, "\"layer\" (no lokr_w2)");
  expect_fault({{"layer.lokr_w2", factor}}, "\"layer\" (no lokr_w1)");
  expect_fault({{"layer.lokr_w1", factor}, {"layer.lokr_w2_a", factor}}, "\"layer\" (no lokr_w2_b)");
  expect_fault({{"layer.dora_scale", torch::ones({6, 1})}}, "\"layer\" (nothing beside dora_scale)");
}

TEST_F(LoraMethods, NamesPartsThatDoNotFitTogether) {
  auto parts = loha();
  parts["layer.hada_w1_a"] = torch::ones({6, 3});
  expect_fault(parts, "\"layer\" (parts of different ranks)");
  parts = loha();
  parts["layer.hada_w2_b"] = torch::ones({2, 5});
  expect_fault(parts, "\"layer\" (products of different sizes)");
  const auto factor = torch::ones({2, 2});
  expect_fault({{"layer.lokr_w1", factor}, {"layer.lokr_w1_a", factor}, {"layer.lokr_w2", factor}},
               "\"layer\" (lokr_w1 both whole and in factors)");
  parts = loha();
  parts["layer.hada_w1_a"] = torch::ones({6});
  expect_fault(parts, "\"layer\" (hada_w1_a of 1 dimensions)");
  parts = lengths(torch::ones({6, 4}));
  expect_fault(parts, "\"layer\" (a dora_scale that is no vector)");
}

TEST_F(LoraMethods, ALayerIsOfOneMethod) {
  auto parts = loha();
  parts["layer.lokr_w1"] = torch::ones({2, 2});
  expect_fault(parts, "1 unexpected: \"layer.lokr_w1\"");
}

TEST_F(LoraMethods, ListsSizesThatAreNotTheWeights) {
  auto parts = loha("conv");
  parts["layer.lokr_w1"] = torch::ones({2, 2});
  parts["layer.lokr_w2"] = torch::ones({2, 3});
  parts["norm.diff_b"] = torch::ones({5});
  expect_fault(parts,
               "does not fit the model: 3 misshapen: \"conv\" has hada_w1_a [6, 2], hada_w1_b [2, 4], hada_w2_a "
               "[6, 2] and hada_w2_b [2, 4] for a weight [4, 6, 3, 3], \"layer\" has lokr_w1 [2, 2] and lokr_w2 "
               "[2, 3] for a weight [6, 4], \"norm.bias\" has diff [5] for a weight [6]");
  expect_fault(lengths(torch::ones({5, 1})), "1 misshapen: \"layer\" has dora_scale [5, 1], down [1, 4] and up [6, 1]");
  expect_fault({{"layer.diff_b", torch::ones({6})}}, "1 unexpected: \"layer.bias\"");
}

}  // namespace
}  // namespace sfumato
