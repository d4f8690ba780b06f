#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/clip_text_model.h"
#include "models/lora_names.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

/// One pipeline's networks, as lora_reference.py makes them.
class LoraPipeline {
 public:
  explicit LoraPipeline(const std::string& kind)
      : kind_(kind),
        unet_(from_pretrained<UNet2DConditionModelImpl>(parity_folder() / kind / "unet", {})),
        text_encoder_(from_pretrained<CLIPTextModelImpl>(parity_folder() / kind / "text_encoder", {})) {
    add_lora_weights(*unet_, weights);
    add_lora_weights(*text_encoder_, 1, weights);
    if (kind != "sdxl") return;
    const auto folder = parity_folder() / kind / "text_encoder_2";
    text_encoder_2_ = from_pretrained<CLIPTextModelWithProjectionImpl>(folder, {});
    add_lora_weights(*text_encoder_2_, 2, weights);
  }

  std::map<std::string, torch::Tensor> outputs() {
    const torch::NoGradGuard no_gradients;
    const auto ids = inputs_.tensor("ids");
    UNet2DConditionInput input;
    input.sample = inputs_.tensor("sample");
    input.timestep = torch::tensor(321);
    input.encoder_hidden_states = inputs_.tensor("states." + kind_);
    input.text_embeds = inputs_.tensor("text_embeds");
    input.time_ids = inputs_.tensor("time_ids");
    std::map<std::string, torch::Tensor> result = {{"text_encoder", text_encoder_->forward(ids).last_hidden_state},
                                                   {"unet", unet_->forward(input)}};
    if (!text_encoder_2_) return result;
    const auto text = text_encoder_2_->forward(ids);
    result["text_encoder_2"] = text.last_hidden_state;
    result["text_embeds"] = text.pooler_output;
    return result;
  }

  LoraWeights weights;

 private:
  std::string kind_;
  std::shared_ptr<UNet2DConditionModelImpl> unet_;
  std::shared_ptr<CLIPTextModelImpl> text_encoder_;
  std::shared_ptr<CLIPTextModelWithProjectionImpl> text_encoder_2_;
  SafetensorsFile inputs_{parity_folder() / "inputs.safetensors"};
};

/// How LoRAs change what the networks compute, against diffusers: the largest relative error of any output.
double error_with(const std::string& kind, const std::string& expected, const std::vector<Lora>& loras) {
  LoraPipeline pipeline(kind);
  apply_loras(loras, pipeline.weights);
  const SafetensorsFile golden(parity_folder() / (expected + "-expected.safetensors"));
  double worst = 0;
  for (const auto& [name, output] : pipeline.outputs())
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
  LoraPipeline pipeline("sd1");
  EXPECT_THROW(apply_loras({lora_of("kohya_xl")}, pipeline.weights), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
