#include "systems/stable_diffusion/checkpoint_yaml.h"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

namespace sfumato {
namespace {

const std::filesystem::path kCheckpoint = std::filesystem::path(testing::TempDir()) / "sfumato-yaml.safetensors";

CheckpointYaml read(const std::string& text) {
  auto path = kCheckpoint;
  std::ofstream(path.replace_extension(".yaml")) << text;
  return read_checkpoint_yaml(kCheckpoint);
}

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "read";
}

// First lines of Stability AI's v2-inference-v.yaml.
TEST(CheckpointYaml, ReadsWhatStabilityAiWrites) {
  const auto yaml = read(R"(model:
  base_learning_rate: 1.0e-4
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    parameterization: "v"
    linear_start: 0.00085
    linear_end: 0.0120
    timesteps: 1000
    first_stage_key: "jpg"
    scale_factor: 0.18215
    use_ema: False # we set this to false because this is an inference only config

    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        parameterization: eps
        attention_resolutions: [ 4, 2, 1 ]
)");
  EXPECT_EQ(yaml.prediction_type, "v_prediction");
  EXPECT_EQ(yaml.beta_start, 0.00085);
  EXPECT_EQ(yaml.beta_end, 0.012);
  EXPECT_EQ(yaml.num_train_timesteps, 1000);
  EXPECT_EQ(yaml.scaling_factor, 0.18215);
}

TEST(CheckpointYaml, ReadsTheScalingOfStableDiffusionXl) {
  const std::string start =
      "model:\n  params:\n    scale_factor: 0.13025\n    denoiser_config:\n      params:\n"
      "        num_idx: 1000\n        scaling_config:\n          target: sgm.modules.";
  EXPECT_EQ(read(start + "denoiser_scaling.EpsScaling\n").prediction_type, "epsilon");
  EXPECT_EQ(read(start + "denoiser_scaling.VScaling\n").prediction_type, "v_prediction");
  EXPECT_NE(refusal(start + "EDMScaling\n").find("EDMScaling"), std::string::npos);
}

TEST(CheckpointYaml, SaysNothingWhereItIsMissingOrOfSomethingElse) {
  auto path = kCheckpoint;
  std::filesystem::remove(path.replace_extension(".yaml"));
  EXPECT_EQ(read_checkpoint_yaml(kCheckpoint).prediction_type, std::nullopt);
  EXPECT_EQ(
      read("parameterization: v\n- parameterization: v\nother:\n  params:\n    parameterization: v\n").prediction_type,
      std::nullopt);
}

TEST(CheckpointYaml, RefusesAnotherValueByNameAndLine) {
  const auto message = refusal("model:\n  params:\n    parameterization: velocity\n");
  for (const auto* word : {"sfumato-yaml.yaml", "line 3", "velocity", "eps, v or x0"})
    EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_NE(refusal("model:\n  params:\n    linear_start: &start 0.1\n").find("&start 0.1"), std::string::npos);
}

}  // namespace
}  // namespace sfumato
