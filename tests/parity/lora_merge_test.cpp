#include <gtest/gtest.h>

#include "checkpoints/safetensors.h"
#include "parity/lora_networks.h"

namespace sfumato {
namespace {

std::map<std::string, torch::Tensor> outputs(LoraNetworks& networks, const std::string& kind) {
  const torch::NoGradGuard no_gradients;
  const SafetensorsFile inputs(parity_folder() / "inputs.safetensors");
  const auto ids = inputs.tensor("ids");
  UNet2DConditionInput input;
  input.sample = inputs.tensor("sample");
  input.timestep = torch::tensor(321);
  input.encoder_hidden_states = inputs.tensor("states." + kind);
  input.text_embeds = inputs.tensor("text_embeds");
  input.time_ids = inputs.tensor("time_ids");
  std::map<std::string, torch::Tensor> result = {
      {"text_encoder", networks.text_encoder->forward(ids).last_hidden_state}, {"unet", networks.unet->forward(input)}};
  if (!networks.text_encoder_2) return result;
  const auto text = networks.text_encoder_2->forward(ids);
  result["text_encoder_2"] = text.last_hidden_state;
  result["text_embeds"] = text.pooler_output;
  return result;
}

/// How LoRAs change what the networks compute, against diffusers: the largest relative error of any output.
double error_with(const std::string& kind, const std::string& expected, const std::vector<Lora>& loras) {
  LoraNetworks networks(kind);
  apply_loras(loras, networks.weights);
  const SafetensorsFile golden(parity_folder() / (expected + "-expected.safetensors"));
  double worst = 0;
  for (const auto& [name, output] : outputs(networks, kind))
    worst = std::max(worst, relative_error(output, golden.tensor(name)));
  return worst;
}

Lora lora_of(const std::string& name, double weight = 1) {
  return {parity_folder() / (name + ".safetensors"), weight};
}

class LoraNames : public ::testing::TestWithParam<std::string> {};

TEST_P(LoraNames, TheNetworksComputeWhatDiffusersComputesWithIt) {
  EXPECT_LT(error_with("sd1", GetParam(), {lora_of(GetParam())}), kLayerTolerance);
  // A weight that is off by a thousandth does not pass.
  EXPECT_GT(error_with("sd1", GetParam(), {lora_of(GetParam(), 1.001)}), 3 * kLayerTolerance);
}

INSTANTIATE_TEST_SUITE_P(, LoraNames, ::testing::Values("kohya", "convolutions", "processors", "middle", "peft"),
                         [](const auto& info) { return info.param; });

TEST(LoraParity, SeveralFilesWithWeightsOfTheirOwn) {
  EXPECT_LT(error_with("sd1", "several", {lora_of("kohya", 0.7), lora_of("convolutions", -0.4)}), kLayerTolerance);
  EXPECT_GT(error_with("sd1", "several", {lora_of("kohya", 0.7), lora_of("convolutions", -0.399)}),
            3 * kLayerTolerance);
}

TEST(LoraParity, StableDiffusionXLInTheOriginalLayoutsNames) {
  EXPECT_LT(error_with("sdxl", "kohya_xl", {lora_of("kohya_xl", 0.8)}), kLayerTolerance);
  EXPECT_GT(error_with("sdxl", "kohya_xl", {lora_of("kohya_xl", 0.799)}), 3 * kLayerTolerance);
}

TEST(LoraParity, TextEncodersHaveAWeightOfTheirOwn) {
  auto lora = lora_of("kohya_xl", 0.7);
  lora.text_encoder_weight = 1.2;
  EXPECT_LT(error_with("sdxl", "two_weights", {lora}), kLayerTolerance);
  lora.text_encoder_weight = 1.199;
  EXPECT_GT(error_with("sdxl", "two_weights", {lora}), 3 * kLayerTolerance);
  lora.text_encoder_weight = std::nullopt;
  EXPECT_GT(error_with("sdxl", "two_weights", {lora}), 3 * kLayerTolerance);
}

TEST(LoraParity, AnotherModelsFileIsRefused) {
  LoraNetworks networks("sd1");
  EXPECT_THROW(apply_loras({lora_of("kohya_xl")}, networks.weights), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
