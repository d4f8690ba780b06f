#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "models/unet_2d_condition_model.h"
#include "models/unet_2d_model.h"
#include "nn/init.h"
#include "small_unet.h"

namespace sfumato {
namespace {

UNet2DConditionModelConfig small_config() {
  return small_unet_config({.width = 8, .norm_num_groups = 4, .cross_attention_dim = 6});
}

UNet2DConditionModel small_unet(UNet2DConditionModelConfig config = small_config()) {
  UNet2DConditionModel model(std::move(config));
  initialize(*model, seeded_generator(1));
  return model;
}

UNet2DConditionInput small_input() {
  UNet2DConditionInput input;
  input.sample = torch::randn({2, 4, 8, 8});
  input.timestep = torch::tensor({3, 700});
  input.encoder_hidden_states = torch::randn({2, 5, 6});
  return input;
}

std::string refusal(const Json& json) {
  try {
    UNet2DConditionModelConfig::from_json(json);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(UNet2DConditionModel, EveryParameterGetsAGradient) {
  auto model = small_unet();
  model->forward(small_input()).square().mean().backward();
  for (const auto& parameter : model->named_parameters()) {
    ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
    EXPECT_GT(parameter.value().grad().abs().max().item<float>(), 0) << parameter.key();
  }
}

TEST(UNet2DConditionModel, ASampleDoesNotDependOnItsBatch) {
  const torch::NoGradGuard no_grad;
  auto model = small_unet();
  const auto input = small_input();
  const auto alone = model->forward(input.sample.slice(0, 1), 700, input.encoder_hidden_states.slice(0, 1));
  EXPECT_TRUE(torch::allclose(model->forward(input).slice(0, 1), alone, 1e-4, 1e-5));
}

TEST(UNet2DConditionModel, SizesThatDoNotDivideKeepTheirSize) {
  const torch::NoGradGuard no_grad;
  auto config = small_config();
  config.block_out_channels = {8, 8, 16};
  config.down_block_types.insert(config.down_block_types.begin(), "DownBlock2D");
  config.up_block_types.push_back("UpBlock2D");
  const auto sample = torch::randn({1, 4, 9, 15});
  EXPECT_EQ(small_unet(config)->forward(sample, 5, torch::randn({1, 3, 6})).sizes(), sample.sizes());
}

TEST(UNet2DConditionModel, AutocastStaysNearFloat32) {
  const torch::NoGradGuard no_grad;
  auto model = small_unet();
  const auto input = small_input();
  const auto exact = model->forward(input);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, torch::kBFloat16);
  const auto cast = model->forward(input);
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_LT((cast.to(torch::kFloat32) - exact).abs().max().item<float>(), 0.1 * exact.abs().max().item<float>());
}

TEST(UNet2DConditionModel, AnswersInItsWeightsDtype) {
  const torch::NoGradGuard no_grad;
  auto model = small_unet();
  model->to(torch::kBFloat16);
  EXPECT_EQ(model->forward(small_input()).scalar_type(), torch::kBFloat16);
}

TEST(UNet2DConditionModel, KeepsChannelsLast) {
  const torch::NoGradGuard no_grad;
  auto model = small_unet();
  auto input = small_input();
  input.sample = input.sample.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_TRUE(model->forward(input).is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(UNet2DConditionModelConfig, RefusesWhatIsNotSupportedByName) {
  EXPECT_EQ(refusal({{"attention_type", "gated"}}),
            "UNet2DConditionModel: 'attention_type' is \"gated\"; supported is null or \"default\"");
  EXPECT_NE(
      refusal({{"down_block_types", {"KDownBlock2D"}}, {"up_block_types", {"UpBlock2D"}}, {"block_out_channels", {8}}})
          .find("\"KDownBlock2D\""),
      std::string::npos);
  EXPECT_NE(refusal({{"num_attention_heads", 8}}).find("'num_attention_heads' is 8"), std::string::npos);
}

TEST(UNet2DConditionModelConfig, RefusesCountsThatDoNotFit) {
  EXPECT_EQ(refusal({{"attention_head_dim", {8, 8}}}),
            "UNet2DConditionModel: 'attention_head_dim' has 2 values for 4 blocks");
  EXPECT_EQ(refusal({{"block_out_channels", {32, 64}}}),
            "UNet2DConditionModel: 'down_block_types' names 4 blocks, 'block_out_channels' 2");
}

TEST(UNet2DConditionModelConfig, RefusesHeadsThatDoNotDivideABlockOfTextAndImage) {
  Json json = {{"block_out_channels", {32, 48}},
               {"down_block_types", {"ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"}},
               {"up_block_types", {"SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"}},
               {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
               {"attention_head_dim", 16}};
  EXPECT_EQ(refusal(json), "");
  json["attention_head_dim"] = 32;
  EXPECT_NE(refusal(json).find("'attention_head_dim' is 32"), std::string::npos) << refusal(json);
  EXPECT_NE(refusal(json).find("48 channels of a SimpleCrossAttn"), std::string::npos) << refusal(json);
  json["attention_head_dim"] = 16;
  const Json unsupported = {{"cross_attention_norm", "group_norm"},
                            {"resnet_skip_time_act", true},
                            {"resnet_out_scale_factor", 1.5},
                            {"dropout", 1}};
  for (const auto& [key, value] : unsupported.items()) {
    auto changed = json;
    changed[key] = value;
    EXPECT_NE(refusal(changed).find("'" + key + "'"), std::string::npos) << key;
  }
}

TEST(UNet2DConditionModelConfig, IgnoresUnknownKeys) {
  EXPECT_EQ(refusal({{"_diffusers_version", "9"}}), "");
}

TEST(UNet2DModelConfig, RefusesSizesAndDropoutOutOfRange) {
  const Json json{
      {"block_out_channels", {8}}, {"down_block_types", {"DownBlock2D"}}, {"up_block_types", {"UpBlock2D"}}};
  EXPECT_NO_THROW(UNet2DModelConfig::from_json(json));
  const Json wrong{{"block_out_channels", {-8}}, {"layers_per_block", 0}, {"in_channels", 0},       {"out_channels", 0},
                   {"norm_num_groups", 0},       {"dropout", 1.5},        {"attention_head_dim", 0}};
  for (const auto& [key, value] : wrong.items()) {
    auto changed = json;
    changed[key] = value;
    try {
      UNet2DModelConfig::from_json(changed);
      ADD_FAILURE() << key;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("'" + key + "' is"), std::string::npos) << error.what();
    }
  }
}

TEST(UNet2DModelConfig, RefusesTextBlocks) {
  const Json json{
      {"block_out_channels", {8}}, {"down_block_types", {"CrossAttnDownBlock2D"}}, {"up_block_types", {"UpBlock2D"}}};
  EXPECT_THROW(UNet2DModelConfig::from_json(json), std::invalid_argument);
}

AutoencoderKLConfig small_autoencoder() {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 16};
  config.norm_num_groups = 4;
  return config;
}

TEST(AutoencoderKL, EveryParameterGetsAGradient) {
  AutoencoderKL model(small_autoencoder());
  initialize(*model, seeded_generator(1));
  const auto posterior = model->encode(torch::randn({2, 3, 8, 8}));
  const auto image = model->decode(posterior.sample(torch::randn({2, 4, 4, 4})));
  (image.square().mean() + posterior.kl().mean()).backward();
  for (const auto& parameter : model->named_parameters()) {
    ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
  }
}

TEST(AutoencoderKL, UnscaleUndoesScale) {
  auto config = small_autoencoder();
  config.shift_factor = 0.5;
  const auto z = torch::randn({1, 4, 2, 2}, torch::kFloat64);
  EXPECT_TRUE(torch::allclose(AutoencoderKL(config)->unscale(AutoencoderKL(config)->scale(z)), z));
  config.latents_mean = {1, 2, 3, 4};
  config.latents_std = {0.5, 1, 2, 4};
  EXPECT_TRUE(torch::allclose(AutoencoderKL(config)->unscale(AutoencoderKL(config)->scale(z)), z));
}

TEST(AutoencoderKL, RefusesOtherBlocks) {
  EXPECT_THROW(AutoencoderKLConfig::from_json({{"down_block_types", {"AttnDownEncoderBlock2D"}}}),
               std::invalid_argument);
  EXPECT_THROW(AutoencoderKLConfig::from_json({{"block_out_channels", {8, 8}}}), std::invalid_argument);
}

TEST(DiagonalGaussian, KlToTheStandardNormalIsTheClosedForm) {
  // 0.5 (mu^2 + s^2 - 1 - ln s^2) a value: mu = 2, s^2 = e gives (4 + e - 2) / 2.
  const auto moments = torch::cat({torch::full({1, 1, 2, 3}, 2.0), torch::full({1, 1, 2, 3}, 1.0)}, 1);
  EXPECT_NEAR(DiagonalGaussian(moments).kl().item<float>(), 6 * (2 + std::exp(1.0)) / 2, 1e-4);
}

TEST(DiagonalGaussian, SampleIsMeanPlusDeviationTimesNoise) {
  const auto moments = torch::cat({torch::full({1, 1, 1, 2}, 3.0), torch::full({1, 1, 1, 2}, std::log(4.0))}, 1);
  const auto sample = DiagonalGaussian(moments).sample(torch::tensor({1.0, -0.5}).reshape({1, 1, 1, 2}));
  EXPECT_TRUE(torch::allclose(sample, torch::tensor({5.0, 2.0}).reshape({1, 1, 1, 2}).to(sample.dtype())));
}

TEST(RenameKey, OlderAttentionNamesAreKnown) {
  EXPECT_EQ(AutoencoderKLImpl::rename_key("encoder.mid_block.attentions.0.proj_attn.bias"),
            "encoder.mid_block.attentions.0.to_out.0.bias");
  EXPECT_EQ(AutoencoderKLImpl::rename_key("decoder.mid_block.attentions.0.key.weight"),
            "decoder.mid_block.attentions.0.to_k.weight");
  EXPECT_EQ(AutoencoderKLImpl::rename_key("encoder.conv_in.weight"), "encoder.conv_in.weight");
}

}  // namespace
}  // namespace sfumato
