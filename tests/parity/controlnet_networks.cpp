#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/controlnet_file.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

constexpr double kScale = 0.7;  // as controlnet_reference.py has it

UNet2DConditionInput input_of(const SafetensorsFile& golden) {
  const auto or_none = [&](const std::string& name) {
    return golden.contains(name) ? golden.tensor(name) : torch::Tensor();
  };
  UNet2DConditionInput input;
  input.sample = golden.tensor("sample");
  input.timestep = golden.tensor("timestep");
  input.encoder_hidden_states = golden.tensor("encoder_hidden_states");
  input.class_labels = or_none("class_labels");
  input.text_embeds = or_none("text_embeds");
  input.time_ids = or_none("time_ids");
  return input;
}

/// The largest error of a residual of `mode`, plain or guess.
double error_of(ControlNetModelImpl& network, const SafetensorsFile& golden, const std::string& mode,
                const ControlNetWeight& weight, const torch::Tensor& cond) {
  const auto residuals = network.forward(input_of(golden), network.embed(cond), weight);
  auto worst = relative_error(residuals.mid_block_res_sample, golden.tensor(mode + ".mid"));
  std::size_t count = 0;
  for (const auto& residual : residuals.down_block_res_samples)
    worst = std::max(worst, relative_error(residual, golden.tensor(mode + "." + std::to_string(count++))));
  EXPECT_FALSE(golden.contains(mode + "." + std::to_string(count))) << "a residual too few";
  return worst;
}

class ControlNetParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::filesystem::path folder_ = parity_folder() / (std::string("network_") + GetParam());
  SafetensorsFile golden_{folder_ / "golden.safetensors"};
  std::shared_ptr<ControlNetModelImpl> network_ = from_pretrained<ControlNetModelImpl>(folder_, {});
  torch::Tensor cond_ = golden_.tensor("controlnet_cond");
};

TEST_P(ControlNetParity, ResidualsAreThoseOfDiffusers) {
  EXPECT_LE(error_of(*network_, golden_, "plain", {.conditioning_scale = kScale}, cond_), kNetworkTolerance);
}

TEST_P(ControlNetParity, ResidualsOfGuessModeAreThoseOfDiffusers) {
  EXPECT_LE(error_of(*network_, golden_, "guess", {.conditioning_scale = kScale, .guess_mode = true}, cond_),
            kNetworkTolerance);
}

TEST_P(ControlNetParity, AnotherScaleImageOrOrderOfItsColorsFails) {
  EXPECT_GT(error_of(*network_, golden_, "plain", {.conditioning_scale = kScale + 0.01}, cond_), 1e-2);
  EXPECT_GT(error_of(*network_, golden_, "plain", {.conditioning_scale = kScale}, cond_.flip(3)), 1e-2);
  if (cond_.size(1) > 1) {
    EXPECT_GT(error_of(*network_, golden_, "plain", {.conditioning_scale = kScale}, cond_.flip(1)), 1e-2);
  }
}

TEST_P(ControlNetParity, WritesTheConfigThatItRead) {
  const auto json = network_->config().to_json();
  const auto file = read_json(folder_ / "config.json");
  for (const auto& [key, value] : json.items()) EXPECT_EQ(Json(value), file.at(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(ControlNetModel, ControlNetParity, testing::Values("sd1", "sd2", "sdxl", "small", "pooled"),
                         [](const auto& info) { return std::string(info.param); });

class ControlNetFileParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::string name_ = std::string("file_") + GetParam();
  std::filesystem::path path_ = parity_folder() / (name_ + ".safetensors");
  ControlNetFile file_ = read_controlnet_file(SafetensorsFile(path_));
};

TEST_P(ControlNetFileParity, HasTheConfigOfItsFolder) {
  const auto folder = ControlNetModelConfig::from_json(read_json(parity_folder() / name_ / "config.json"));
  auto expected = Json(folder.to_json()), read = Json(file_.config.to_json());
  if (file_.config.unet.mid_block_type == "UNetMidBlock2D")  // without attention no key tells how it would be
    for (const auto* key : {"cross_attention_dim", "attention_head_dim"}) expected.erase(key), read.erase(key);
  EXPECT_EQ(read, expected);
}

TEST_P(ControlNetFileParity, ResidualsAreThoseOfDiffusersFromSingleFile) {
  const SafetensorsFile golden(parity_folder() / (name_ + "-golden.safetensors"));
  ControlNetModelImpl network(file_.config);
  load_weights(network, path_, {}, file_.names);
  const auto cond = golden.tensor("controlnet_cond");
  EXPECT_LE(error_of(network, golden, "plain", {.conditioning_scale = kScale}, cond), kNetworkTolerance);
  EXPECT_GT(error_of(network, golden, "plain", {.conditioning_scale = kScale}, cond.flip(2)), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(ControlNetFile, ControlNetFileParity, testing::Values("sd1", "sd2", "sdxl", "sdxl_small"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sfumato
