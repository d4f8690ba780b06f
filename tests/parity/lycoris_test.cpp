#include <gtest/gtest.h>

#include "checkpoints/safetensors.h"
#include "parity/lora_networks.h"

namespace sfumato {
namespace {

/// Sixteen roundings of float32: a delta is a few sums of three terms, one or two products, a norm and a sum, and it is
/// a third of the weight.
constexpr double kMergeTolerance = 16 * 0x1p-24;

using Parameters = std::map<std::string, torch::Tensor>;

/// "text_model." is there or not, as transformers' version has it.
void add_parameters(const std::string& part, const torch::nn::Module& network, Parameters& parameters) {
  const std::string prefix = "text_model.";
  for (const auto& item : network.named_parameters()) {
    const auto& name = item.key();
    parameters[part + "." + (name.starts_with(prefix) ? name.substr(prefix.size()) : name)] = item.value();
  }
}

Parameters parameters_of(const LoraNetworks& networks) {
  Parameters parameters;
  add_parameters("unet", *networks.unet, parameters);
  add_parameters("text_encoder", *networks.text_encoder, parameters);
  if (networks.text_encoder_2) add_parameters("text_encoder_2", *networks.text_encoder_2, parameters);
  return parameters;
}

Lora file_of(const std::string& name, double weight = 1) {
  return {parity_folder() / (name + ".safetensors"), weight};
}

/// The largest relative error of any weight that the case changes. All others must stay as they are.
double error_of_weights(const std::string& name, const std::vector<Lora>& files) {
  LoraNetworks networks(name.ends_with("xl") ? "sdxl" : "sd1");
  Parameters before;
  for (const auto& [key, parameter] : parameters_of(networks)) before[key] = parameter.detach().clone();
  apply_loras(files, networks.weights);
  const SafetensorsFile expected(parity_folder() / (name + "-expected.safetensors"));
  double worst = 0;
  std::size_t changed = 0;
  for (const auto& [key, parameter] : parameters_of(networks)) {
    if (!expected.contains(key)) {
      EXPECT_TRUE(torch::equal(parameter, before.at(key))) << key;
      continue;
    }
    ++changed;
    worst = std::max(worst, relative_error(parameter, expected.tensor(key)));
  }
  EXPECT_EQ(changed, expected.names().size());
  return worst;
}

class LycorisFile : public ::testing::TestWithParam<std::string> {};

TEST_P(LycorisFile, MergesIntoTheWeightsOfTheReference) {
  EXPECT_LT(error_of_weights(GetParam(), {file_of(GetParam())}), kMergeTolerance);
  // A weight that is off by a thousandth does not pass.
  EXPECT_GT(error_of_weights(GetParam(), {file_of(GetParam(), 1.001)}), 3 * kMergeTolerance);
}

INSTANTIATE_TEST_SUITE_P(, LycorisFile,
                         ::testing::Values("loha", "loha_tucker", "lokr", "lokr_tucker", "lokr_whole", "xl",
                                           "dora_peft", "dora", "differences", "differences_xl"),
                         [](const auto& info) { return info.param; });

TEST(LycorisParity, AWeightOfDoraGoesAPartOfTheWayToTheWholeChange) {
  EXPECT_LT(error_of_weights("dora_in_part", {file_of("dora", 0.7)}), kMergeTolerance);
  EXPECT_GT(error_of_weights("dora_in_part", {file_of("dora", 0.701)}), 3 * kMergeTolerance);
}

TEST(LycorisParity, FilesWorkOneAfterTheOther) {
  const auto first = file_of("lokr", 0.8), second = file_of("dora", 0.6), third = file_of("differences", -0.5);
  EXPECT_LT(error_of_weights("in_order", {first, second, third}), kMergeTolerance);
  EXPECT_GT(error_of_weights("in_order", {second, first, third}), 1000 * kMergeTolerance);
}

}  // namespace
}  // namespace sfumato
