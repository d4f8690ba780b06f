#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/autoencoder_kl.h"
#include "models/unet_2d_condition_model.h"
#include "models/unet_2d_model.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

SafetensorsFile golden_file(const std::string& name) {
  return SafetensorsFile(parity_folder() / name / "golden.safetensors");
}

torch::Tensor optional_tensor(const SafetensorsFile& file, const std::string& name) {
  return file.contains(name) ? file.tensor(name) : torch::Tensor();
}

UNet2DConditionInput condition_input(const SafetensorsFile& golden) {
  UNet2DConditionInput input;
  input.sample = golden.tensor("sample");
  input.timestep = golden.tensor("timestep");
  input.encoder_hidden_states = golden.tensor("encoder_hidden_states");
  input.encoder_attention_mask = optional_tensor(golden, "encoder_attention_mask");
  input.class_labels = optional_tensor(golden, "class_labels");
  input.timestep_cond = optional_tensor(golden, "timestep_cond");
  input.text_embeds = optional_tensor(golden, "text_embeds");
  input.time_ids = optional_tensor(golden, "time_ids");
  return input;
}

class ConditionParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::string name_ = std::string("condition_") + GetParam();
  SafetensorsFile golden_ = golden_file(name_);
  UNet2DConditionModel model_{from_pretrained<UNet2DConditionModelImpl>(parity_folder() / name_, {})};
  UNet2DConditionInput input_ = condition_input(golden_);

  double error() { return relative_error(model_->forward(input_), golden_.tensor("output")); }
};

TEST_P(ConditionParity, PredictsWhatDiffusersPredicts) {
  EXPECT_LE(error(), kNetworkTolerance);
}

TEST_P(ConditionParity, ChannelsLastPredictsTheSame) {
  model_->to(torch::kFloat64);  // where rounding hides nothing
  const auto plain = model_->forward(input_);
  input_.sample = input_.sample.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_LE(relative_error(model_->forward(input_), plain), 1e-12);
}

TEST_P(ConditionParity, ATimestepOffByOneFails) {
  input_.timestep = input_.timestep + 1;
  EXPECT_GT(error(), 10 * kNetworkTolerance);
}

TEST_P(ConditionParity, AnotherTextFails) {
  input_.encoder_hidden_states = input_.encoder_hidden_states.flip(0);
  EXPECT_GT(error(), 100 * kNetworkTolerance);
}

TEST_P(ConditionParity, WritesTheConfigThatItRead) {
  const auto json = model_->config().to_json();
  const auto file = read_json(parity_folder() / name_ / "config.json");
  for (const auto& [key, value] : json.items()) {
    if (!file.contains(key)) continue;
    EXPECT_EQ(Json(value), file[key]) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(UNet2DConditionModel, ConditionParity,
                         testing::Values("sd1", "sd2", "sdxl", "odd", "projected", "ssd", "no_mid", "pooled",
                                         "pooled_projected", "glide", "glide_cross", "glide_masked"),
                         [](const auto& info) { return std::string(info.param); });

TEST(ConditionParityMask, ATextMaskHidesStates) {
  const torch::NoGradGuard no_grad;
  const auto model = from_pretrained<UNet2DConditionModelImpl>(parity_folder() / "condition_odd", {});
  const auto golden = golden_file("condition_odd");
  auto input = condition_input(golden);
  input.encoder_hidden_states = input.encoder_hidden_states.clone();
  input.encoder_hidden_states.select(1, 6).fill_(3);  // the last state is hidden in both samples
  EXPECT_LE(relative_error(model->forward(input), golden.tensor("output")), kNetworkTolerance);
}

class UnconditionalParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::string name_ = std::string("unconditional_") + GetParam();
  SafetensorsFile golden_ = golden_file(name_);
  UNet2DModel model_{from_pretrained<UNet2DModelImpl>(parity_folder() / name_, {})};

  double error(const torch::Tensor& timestep) {
    const auto output = model_->forward(golden_.tensor("sample"), timestep, optional_tensor(golden_, "class_labels"));
    return relative_error(output, golden_.tensor("output"));
  }
};

TEST_P(UnconditionalParity, PredictsWhatDiffusersPredicts) {
  EXPECT_LE(error(golden_.tensor("timestep")), kNetworkTolerance);
}

TEST_P(UnconditionalParity, ATimestepOffByOneFails) {
  EXPECT_GT(error(golden_.tensor("timestep") + 1), 10 * kNetworkTolerance);
}

TEST_P(UnconditionalParity, WritesTheConfigThatItRead) {
  const auto json = model_->config().to_json();
  const auto file = read_json(parity_folder() / name_ / "config.json");
  for (const auto& [key, value] : json.items()) EXPECT_EQ(Json(value), file.at(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(UNet2DModel, UnconditionalParity, testing::Values("ddpm", "adm", "odd", "no_mid"),
                         [](const auto& info) { return std::string(info.param); });

class AutoencoderParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::string name_ = std::string("autoencoder_") + GetParam();
  SafetensorsFile golden_ = golden_file(name_);
  AutoencoderKL model_{from_pretrained<AutoencoderKLImpl>(parity_folder() / name_, {})};
};

TEST_P(AutoencoderParity, EncodesAsDiffusersDoes) {
  const auto posterior = model_->encode(golden_.tensor("image"));
  EXPECT_LE(relative_error(posterior.mode(), golden_.tensor("mean")), kNetworkTolerance);
  EXPECT_LE(relative_error(posterior.logvar, golden_.tensor("logvar")), kNetworkTolerance);
  EXPECT_LE(relative_error(posterior.sample(golden_.tensor("noise")), golden_.tensor("sample")), kNetworkTolerance);
  EXPECT_LE(relative_error(posterior.kl(), golden_.tensor("kl")), kNetworkTolerance);
}

TEST_P(AutoencoderParity, DecodesAsDiffusersDoes) {
  EXPECT_LE(relative_error(model_->decode(golden_.tensor("latents")), golden_.tensor("decoded")), kNetworkTolerance);
}

TEST_P(AutoencoderParity, TilesAsDiffusersDoes) {
  const auto latents = golden_.tensor("tiled_latents"), image = golden_.tensor("tiled_image");
  const auto whole = model_->decode(latents);
  const VaeTiling tiling{.sample_size = model_->config().sample_size, .shared_statistics = false};
  EXPECT_LE(relative_error(model_->decode(latents, tiling), golden_.tensor("tiled_decoded")), kNetworkTolerance);
  EXPECT_LE(relative_error(model_->encode(image, tiling).mean, golden_.tensor("tiled_mean")), kNetworkTolerance);
  EXPECT_GT(relative_error(whole, golden_.tensor("tiled_decoded")), 10 * kNetworkTolerance);
  const VaeTiling other{.sample_size = model_->config().sample_size, .overlap_factor = 0.5, .shared_statistics = false};
  EXPECT_GT(relative_error(model_->decode(latents, other), golden_.tensor("tiled_decoded")), 10 * kNetworkTolerance);
}

TEST_P(AutoencoderParity, ASmallImageIsNotTiled) {
  const auto latents = golden_.tensor("tiled_latents");
  const auto whole = model_->decode(latents);
  const VaeTiling tiling{
      .sample_size = model_->config().sample_size, .above_pixels = 76 * 52, .shared_statistics = false};
  EXPECT_TRUE(torch::equal(model_->decode(latents, tiling), whole));
}

TEST_P(AutoencoderParity, AFlippedImageFails) {
  const auto posterior = model_->encode(golden_.tensor("image").flip(3));
  EXPECT_GT(relative_error(posterior.mean, golden_.tensor("mean")), 100 * kNetworkTolerance);
}

TEST_P(AutoencoderParity, WritesTheConfigThatItRead) {
  const auto json = model_->config().to_json();
  const auto file = read_json(parity_folder() / name_ / "config.json");
  for (const auto& [key, value] : json.items()) EXPECT_EQ(Json(value), file.at(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(AutoencoderKL, AutoencoderParity, testing::Values("sd", "flux", "odd", "older"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sfumato
