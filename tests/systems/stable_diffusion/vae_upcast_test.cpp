#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "nn/init.h"
#include "systems/stable_diffusion/denoise.h"
#include "systems/stable_diffusion/vae.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// VAE whose first features, in the encoder and the decoder, are some 1e6: beyond float16's 65504. The norms scale them
/// back, as in Stable Diffusion XL's.
class VaeUpcast : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("sfumato-upcast-" + std::to_string(::getpid()));
    const auto vae = std::make_shared<AutoencoderKLImpl>(config());
    initialize(*vae, seeded_generator(1));
    std::map<std::string, torch::Tensor> tensors;
    const torch::NoGradGuard no_gradients;
    for (const auto& parameter : vae->named_parameters())
      tensors[parameter.key()] =
          parameter.key().ends_with("coder.conv_in.weight") ? parameter.value() * 1e6 : parameter.value().clone();
    fs::create_directories(folder_);
    save_weights(tensors, folder_, {.basename = "diffusion_pytorch_model"});
  }
  void TearDown() override { fs::remove_all(folder_); }

  static AutoencoderKLConfig config() {
    AutoencoderKLConfig config;
    config.block_out_channels = {8, 8};
    config.norm_num_groups = 4;
    return config;
  }

  /// Returns a model with this VAE, loaded with another one that fits float16.
  StableDiffusion model(torch::ScalarType dtype, bool force_upcast, const fs::path& vae = "") const {
    auto json = config().to_json();
    json["force_upcast"] = force_upcast;
    write_json(folder_ / "config.json", Json(json));
    const auto loaded = load_vae(vae.empty() ? folder_ : vae, config(), {.dtype = dtype});
    return {.text_encoders = {},
            .unet = nullptr,
            .vae = loaded.network,
            .schedule = Schedule(),
            .placement = {.dtype = dtype},
            .vae_placement = loaded.placement};
  }

  static torch::Tensor image(const StableDiffusion& model) {
    const torch::NoGradGuard no_gradients;
    return decode(model, torch::randn({1, 4, 4, 4}, seeded_generator(2)));
  }

  static torch::Tensor latents(const StableDiffusion& model) {
    const torch::NoGradGuard no_gradients;
    NoiseSource noise({3});
    return encode(model, torch::rand({1, 3, 8, 8}, seeded_generator(4)) * 2 - 1, noise);
  }

  /// Returns the distance of results in `dtype`, encoded and decoded, from those in float32, in standard deviations.
  double distance(torch::ScalarType dtype, bool force_upcast, const fs::path& vae = "") const {
    const auto exact = model(torch::kFloat32, force_upcast, vae), rounded = model(dtype, force_upcast, vae);
    const auto of = [](const torch::Tensor& a, const torch::Tensor& b) {
      return ((a - b).square().mean().sqrt() / b.std()).item<double>();
    };
    const auto way_out = of(image(rounded), image(exact)), way_in = of(latents(rounded), latents(exact));
    return std::isnan(way_out) || std::isnan(way_in) ? NAN : std::max(way_out, way_in);
  }

  fs::path folder_;
};

TEST_F(VaeUpcast, WithoutItFloat16LosesTheImage) {
  EXPECT_TRUE(std::isnan(distance(torch::kFloat16, /*force_upcast=*/false)));
}

/// Latents are float32 before the VAE, so nothing is rounded.
TEST_F(VaeUpcast, WithItFloat16GivesThePictureOfFloat32) {
  EXPECT_EQ(model(torch::kFloat16, true).vae_placement.dtype, torch::kFloat32);
  EXPECT_LT(distance(torch::kFloat16, /*force_upcast=*/true), 1e-5);
}

/// A file cannot store that it needs it.
TEST_F(VaeUpcast, AFileGetsIt) {
  EXPECT_LT(distance(torch::kFloat16, false, folder_ / "diffusion_pytorch_model.safetensors"), 1e-5);
}

/// Its range is float32's. 8 bits of precision are a relative error of 1 in 512 per value in each of some 20 layers.
TEST_F(VaeUpcast, Bfloat16DoesWithout) {
  const auto rounded = model(torch::kBFloat16, true);
  EXPECT_EQ(rounded.vae_placement.dtype, torch::kBFloat16);
  EXPECT_LT(distance(torch::kBFloat16, true), 20.0 / 512);
}

}  // namespace
}  // namespace sfumato
