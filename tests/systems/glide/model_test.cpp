#include "systems/glide/model.h"

#include <gtest/gtest.h>

#include "systems/glide/small_folder.h"

namespace sfumato {
namespace {

TEST_F(GLIDEFolder, RefusesStagesThatDoNotFitOneAnother) {
  write_index({{"upscale_low_res_size", 4}});
  EXPECT_NE(refusal().find("enlarges images of 4 pixels a side, but the base model makes 8"), std::string::npos)
      << refusal();
  write_index();
  write_stage("upscale_unet", "upscale_text_encoder", 20, 6);
  EXPECT_NE(refusal().find("upscale_unet: unexpected 'sample_size'"), std::string::npos) << refusal();
  write_stage("upscale_unet", "upscale_text_encoder", 16, 3);
  EXPECT_NE(refusal().find("upscale_unet: unexpected 'in_channels': expected 6, or 10"), std::string::npos)
      << refusal();
  write_stage("upscale_unet", "upscale_text_encoder", 16, 10);
  EXPECT_NE(refusal().find("no inpainting model"), std::string::npos) << refusal();
}

TEST_F(GLIDEFolder, RefusesATextTransformerOfAnotherWidthOrLength) {
  auto text = kGlideText;
  text["hidden_size"] = 8;
  write_network<GLIDETextModelImpl>("text_encoder", text, "model");
  EXPECT_NE(refusal().find("the width of text_encoder, 8"), std::string::npos) << refusal();
  text = kGlideText;
  text["max_position_embeddings"] = 4;
  write_network<GLIDETextModelImpl>("text_encoder", text, "model");
  EXPECT_NE(refusal().find("model_max_length is 8, but text_encoder has positions for 4"), std::string::npos)
      << refusal();
  text["num_attention_heads"] = 3;
  write_json(folder_ / "text_encoder" / "config.json", text);
  EXPECT_NE(refusal().find("text_encoder: GLIDETextModel: 'num_attention_heads' is 3"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace sfumato
