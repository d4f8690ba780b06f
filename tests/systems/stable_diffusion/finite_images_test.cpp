#include <gtest/gtest.h>

#include <limits>

#include "systems/stable_diffusion/random_model.h"

namespace sfumato {
namespace {

std::vector<std::string> warnings_of(const StableDiffusion& model) {
  const Request request{.prompt = "a red cat", .width = kSide, .height = kSide, .steps = 1, .sampler = "ddim"};
  return text_to_image(model, request).warnings;
}

void make_infinite(torch::Tensor& weights) {
  const torch::NoGradGuard no_gradients;
  weights.fill_(std::numeric_limits<float>::infinity());
}

TEST(FiniteImages, AWarningNamesThePartThatOverflows) {
  const auto model = model_at({});
  EXPECT_TRUE(warnings_of(model).empty());
  for (auto& item : model.vae->named_parameters())
    if (item.key() == "decoder.conv_out.bias") make_infinite(item.value());
  ASSERT_EQ(warnings_of(model).size(), 1U);
  EXPECT_TRUE(warnings_of(model).front().starts_with("the VAE's output has values that are not finite"));
  make_infinite(model.unet->conv_out->bias);
  ASSERT_EQ(warnings_of(model).size(), 1U);
  EXPECT_TRUE(warnings_of(model).front().starts_with("the latents have values that are not finite"));
}

}  // namespace
}  // namespace sfumato
