#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/clip_model.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

class ClipModelParity : public testing::TestWithParam<const char*> {
 protected:
  torch::NoGradGuard no_grad_;
  std::string name_ = GetParam();
  CLIPModel model_{from_pretrained<CLIPModelImpl>(parity_folder() / name_, {})};
  SafetensorsFile file_{parity_folder() / (name_ + ".safetensors")};
  torch::Tensor ids_ = file_.tensor("ids").clone(), pixels_ = file_.tensor("pixels");
  torch::Tensor timesteps_ =
      model_->config().vision_config.time_embedding ? file_.tensor("timesteps") : torch::Tensor();

  torch::Tensor image_embeds(const torch::Tensor& timesteps) {
    return unit_length(model_->image_features(pixels_, timesteps));
  }
  torch::Tensor text_embeds() { return unit_length(model_->text_features(ids_)); }
};

TEST_P(ClipModelParity, GivesTransformersEmbeddings) {
  EXPECT_LT(relative_error(text_embeds(), file_.tensor("text_embeds")), kNetworkTolerance);
  EXPECT_LT(relative_error(image_embeds(timesteps_), file_.tensor("image_embeds")), kNetworkTolerance);
  const auto logits = model_->logit_factor() * image_embeds(timesteps_).matmul(text_embeds().t());
  EXPECT_LT(relative_error(logits, file_.tensor("logits_per_image")), kNetworkTolerance);
}

TEST_P(ClipModelParity, GradientsWithRespectToImagesAreTransformers) {
  const torch::AutoGradMode with_gradients(true);
  pixels_ = pixels_.clone().requires_grad_(true);
  const auto similarity = model_->logit_factor() * (image_embeds(timesteps_) * text_embeds().detach()).sum();
  EXPECT_LT(relative_error(torch::autograd::grad({similarity}, {pixels_})[0], file_.tensor("gradient")),
            kNetworkTolerance);
}

TEST_P(ClipModelParity, AFlippedImageFails) {
  pixels_ = pixels_.flip(3);
  EXPECT_GT(relative_error(image_embeds(timesteps_), file_.tensor("image_embeds")), 100 * kNetworkTolerance);
}

TEST_P(ClipModelParity, AnotherEndOfTheTextFails) {
  ids_ = ids_.roll(1, 1);  // an end before each text: its state is pooled
  EXPECT_GT(relative_error(text_embeds(), file_.tensor("text_embeds")), 100 * kNetworkTolerance);
}

TEST_P(ClipModelParity, ATimestepOffByOneFails) {
  if (!timesteps_.defined()) GTEST_SKIP() << "a model of images without noise";
  EXPECT_GT(relative_error(image_embeds(timesteps_ + 1), file_.tensor("image_embeds")), 10 * kNetworkTolerance);
}

TEST_P(ClipModelParity, WritesTheConfigThatItRead) {
  const auto written = Json(model_->config().to_json());
  EXPECT_EQ(CLIPModelConfig::from_json(written), model_->config());
  const auto file = read_json(parity_folder() / name_ / "config.json");
  for (const auto* tower : {"text_config", "vision_config"})
    for (const auto& [key, value] : written.at(tower).items()) {
      if (key == "dtype") continue;
      EXPECT_EQ(value, file.at(tower).at(key)) << tower << ": " << key;
    }
}

INSTANTIATE_TEST_SUITE_P(Configurations, ClipModelParity,
                         testing::Values("clip_model_quick", "clip_model_gelu_legacy_eos", "clip_model_odd",
                                         "clip_model_noised"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sfumato
