#include "training/kinds.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

Json vae_recipe() {
  return {{"kind", "vae"},
          {"data", {{"pack", "p.safetensors"}, {"image_size", 16}, {"crop_size", 8}}},
          {"vae",
           {{"block_out_channels", {8, 8}},
            {"down_block_types", {"DownEncoderBlock2D", "DownEncoderBlock2D"}},
            {"up_block_types", {"UpDecoderBlock2D", "UpDecoderBlock2D"}},
            {"norm_num_groups", 4}}}};
}

Json text_to_image_recipe() {
  return {{"kind", "text_to_image"},
          {"data", {{"pack", "p.safetensors"}, {"image_size", 16}}},
          {"vae", "vae"},
          {"unet",
           {{"_class_name", "UNet2DConditionModel"},
            {"block_out_channels", {8}},
            {"down_block_types", {"CrossAttnDownBlock2D"}},
            {"up_block_types", {"CrossAttnUpBlock2D"}},
            {"attention_type", "default"},
            {"cross_attention_dim", 16},
            {"norm_num_groups", 4}}},
          {"text_encoder", {{"d_model", 16}}},
          {"scheduler", {{"prediction_type", "v_prediction"}}}};
}

/// Error for the recipe with one more setting (apply_setting); "" if there is none.
std::string refusal_with(Json recipe, const std::string& setting) {
  apply_setting(recipe, setting);
  try {
    parse_job(recipe, "r.json")->check();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(RecipeNetworks, ThatFitAreTaken) {
  EXPECT_EQ(refusal_with(vae_recipe(), "steps=3"), "");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "steps=3"), "");
}

TEST(RecipeNetworks, AKeyThatIsMisspeltIsNotLeftOut) {
  EXPECT_EQ(refusal_with(vae_recipe(), "vae.layer_per_block=1"),
            "vae: unknown key 'layer_per_block'; did you mean 'layers_per_block'?");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet.cross_attention_dims=16"),
            "unet: unknown key 'cross_attention_dims'; did you mean 'cross_attention_dim'?");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "text_encoder.num_layer=2"),
            "text_encoder: unknown key 'num_layer'; did you mean 'num_layers'?");
  EXPECT_NE(refusal_with(text_to_image_recipe(), "text_encoder.dropout_rate=0.1").find("'dropout_rate'"),
            std::string::npos);
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "scheduler.prediction_typ=epsilon"),
            "scheduler: unknown key 'prediction_typ'; did you mean 'prediction_type'?");
  EXPECT_EQ(
      refusal_with(text_to_image_recipe(), "scheduler._class_name=EDMEulerScheduler"),
      "scheduler: '_class_name' is 'EDMEulerScheduler', expected one with betas, as DDIMScheduler: training draws "
      "their timesteps");
}

TEST(RecipeNetworks, WithoutASizeAreRefused) {
  EXPECT_EQ(refusal_with(vae_recipe(), "vae={}"),
            "vae: no 'block_out_channels'; expected the size of the network to train");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet={}"),
            "unet: no 'block_out_channels'; expected the size of the network to train");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet=null"), refusal_with(text_to_image_recipe(), "unet={}"));
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "text_encoder.d_model=null"),
            "text_encoder: no 'd_model'; expected the size of the network to train");
  const Json pack = {{"pack", "p.safetensors"}, {"image_size", 32}};
  EXPECT_EQ(refusal_with({{"kind", "classifier"}, {"data", pack}}, "steps=3"),
            "classifier: no 'block_out_channels'; expected the size of the network to train");
  EXPECT_EQ(refusal_with({{"kind", "clip"}, {"data", pack}}, "clip.text_config.hidden_size=16"),
            "clip: vision_config: no 'hidden_size'; expected the size of the network to train");
  EXPECT_EQ(refusal_with({{"kind", "unconditional"}, {"data", {{"format", "folder"}, {"path", "p"}}}}, "unet={}"),
            "unet: no 'block_out_channels'; expected the size of the network to train");
  for (const auto* kind : {"glide", "glide_upsampler"}) {
    EXPECT_EQ(refusal_with({{"kind", kind}, {"data", pack}}, "unet={}"),
              "unet: no 'block_out_channels'; expected the size of the network to train");
    EXPECT_EQ(refusal_with({{"kind", kind}, {"data", pack}}, "unet.block_out_channels=[32]"),
              "text_encoder: no 'hidden_size'; expected the size of the network to train");
  }
}

TEST(RecipeNetworks, ImagesThatTheAutoencoderCannotHalve) {
  EXPECT_EQ(refusal_with(vae_recipe(), "data.crop_size=7"),
            "data: 'crop_size' is 7; expected a multiple of 2, the autoencoder's factor");
  EXPECT_EQ(refusal_with(vae_recipe(), "data={\"pack\":\"p\",\"image_size\":33}"),
            "data: 'image_size' is 33; expected a multiple of 2, the autoencoder's factor");
}

TEST(RecipeNetworks, WidthsThatDiffer) {
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet.cross_attention_dim=17"),
            "unet: the text's width is 17; expected the text encoder's 'd_model', 16");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet.in_channels=5"),
            "unet: 'out_channels' is 4; expected 'in_channels', 5");
}

TEST(RecipeNetworks, MoreStepsThanTimestepsAreToldBeforeTheFirstSample) {
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "sample.steps=1001"),
            "sample: 'steps' is 1001; expected at most the scheduler's 1000 timesteps");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "sample.steps=1000"), "");
}

TEST(RecipeNetworks, SizesOfNothingAreRefusedAndNotDividedBy) {
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet.attention_head_dim=0"),
            "UNet2DConditionModel: 'attention_head_dim' is 0; expected at least 1");
  EXPECT_EQ(refusal_with(text_to_image_recipe(), "unet.norm_num_groups=0"),
            "UNet2DConditionModel: 'norm_num_groups' is 0; expected at least 1");
}

}  // namespace
}  // namespace sfumato
