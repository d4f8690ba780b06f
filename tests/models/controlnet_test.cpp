#include "models/controlnet_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "models/controlnet_file.h"
#include "models/unet_2d_condition_model.h"
#include "nn/init.h"

namespace sfumato {
namespace {

ControlNetModelConfig control_config() {
  ControlNetModelConfig config;
  config.unet.block_out_channels = {8, 16};
  config.unet.down_block_types = {"CrossAttnDownBlock2D", "DownBlock2D"};
  config.unet.up_block_types = {"UpBlock2D", "CrossAttnUpBlock2D"};
  config.unet.layers_per_block = {1};
  config.unet.norm_num_groups = 4;
  config.unet.attention_head_dim = {2};
  config.unet.cross_attention_dim = {6};
  config.conditioning_embedding_out_channels = {4, 8, 8};
  return config;
}

template <class Network>
Network seeded(Network network, std::uint64_t seed) {
  initialize(*network, seeded_generator(seed));
  return network;
}

UNet2DConditionInput control_input() {
  UNet2DConditionInput input;
  input.sample = torch::randn({2, 4, 6, 8});
  input.timestep = torch::tensor({3, 700});
  input.encoder_hidden_states = torch::randn({2, 5, 6});
  return input;
}

struct ControlNetResiduals : public testing::Test {
  torch::NoGradGuard no_grad;
  ControlNetModel network = seeded(ControlNetModel(control_config()), 1);
  UNet2DConditionModel unet = seeded(UNet2DConditionModel(control_config().unet), 2);
  UNet2DConditionInput input = control_input();
  torch::Tensor embedding = network->embed(torch::rand({1, 3, 24, 32}));

  torch::Tensor controlled(const UNetFeatures& residuals) {
    auto told = input;
    told.down_block_additional_residuals = residuals.down_block_res_samples;
    told.mid_block_additional_residual = residuals.mid_block_res_sample;
    return unet->forward(told);
  }
};

TEST_F(ControlNetResiduals, FitTheUNetsFeaturesAndMoveItsPrediction) {
  const auto residuals = network->forward(input, embedding);
  EXPECT_EQ(residuals.down_block_res_samples.size(), 4U);  // conv_in, two layers, one downsampling
  EXPECT_GT((controlled(residuals) - unet->forward(input)).abs().max().item<float>(), 1e-3);
}

// Zhang et al. 2023, section 3.1: before training the zero convolutions add nothing.
TEST_F(ControlNetResiduals, OfZeroConvolutionsChangeNothing) {
  for (auto& parameter : network->named_parameters())
    if (parameter.key().starts_with("controlnet_down") || parameter.key().starts_with("controlnet_mid"))
      parameter.value().zero_();
  EXPECT_TRUE(torch::equal(controlled(network->forward(input, embedding)), unet->forward(input)));
}

TEST_F(ControlNetResiduals, OfGuessModeRiseFromATenthEvenlyInTheLogarithm) {
  const auto plain = network->forward(input, embedding, {.conditioning_scale = 2});
  const auto guess = network->forward(input, embedding, {.conditioning_scale = 2, .guess_mode = true});
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_TRUE(torch::allclose(guess.down_block_res_samples[i],
                                plain.down_block_res_samples[i] * std::pow(10.0, static_cast<double>(i) / 4 - 1)));
  EXPECT_TRUE(torch::equal(guess.mid_block_res_sample, plain.mid_block_res_sample));
}

TEST_F(ControlNetResiduals, OfAnotherNumberAreABrokenInvariant) {
  auto residuals = network->forward(input, embedding);
  residuals.down_block_res_samples.pop_back();
  EXPECT_THROW(controlled(residuals), c10::Error);
}

TEST(ControlNetModelConfig, RefusesWhatIsNotSupportedByName) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      ControlNetModelConfig::from_json(Json::parse(text));
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal("{}"), "accepted");
  EXPECT_NE(refusal(R"({"controlnet_conditioning_channel_order": "grb"})").find("grb"), std::string::npos);
  EXPECT_NE(refusal(R"({"conditioning_embedding_out_channels": []})").find("conditioning_embedding"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"class_embed_type": "timestep"})").find("class_embed_type"), std::string::npos);
  EXPECT_NE(refusal(R"({"mid_block_type": null})").find("mid_block_type"), std::string::npos);
}

// Keys of control_v11p_sd15_canny.
TEST(OriginalControlNetKey, IsThatOfTheReleasedFiles) {
  const ControlNetModelConfig config;
  const auto key = [&](const std::string& name) { return original_controlnet_key(name, config); };
  EXPECT_EQ(key("controlnet_cond_embedding.conv_in.weight"), "input_hint_block.0.weight");
  EXPECT_EQ(key("controlnet_cond_embedding.blocks.0.weight"), "input_hint_block.2.weight");
  EXPECT_EQ(key("controlnet_cond_embedding.blocks.5.bias"), "input_hint_block.12.bias");
  EXPECT_EQ(key("controlnet_cond_embedding.conv_out.bias"), "input_hint_block.14.bias");
  EXPECT_EQ(key("controlnet_down_blocks.11.weight"), "zero_convs.11.0.weight");
  EXPECT_EQ(key("controlnet_mid_block.bias"), "middle_block_out.0.bias");
  EXPECT_EQ(key("down_blocks.2.attentions.1.proj_in.weight"), "input_blocks.8.1.proj_in.weight");
  EXPECT_EQ(key("time_embedding.linear_2.weight"), "time_embed.2.weight");
}

}  // namespace
}  // namespace sfumato
