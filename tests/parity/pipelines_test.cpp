#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "images/pixels.h"
#include "parity/pipeline_case.h"
#include "systems/stable_diffusion/latent_preview.h"

namespace sfumato {
namespace {

/// In decibels, of pictures in [-1, 1] rounded to 8 bits.
double psnr(const torch::Tensor& a, const torch::Tensor& b) {
  const auto difference = to_bytes(a).to(torch::kFloat64) - to_bytes(b).to(torch::kFloat64);
  return 10 * std::log10(255 * 255 / std::max(1e-9, difference.square().mean().item<double>()));
}

class PipelineParity : public ::testing::TestWithParam<std::string> {};

TEST_P(PipelineParity, EveryStepAndTheImageAreThoseOfDiffusers) {
  const auto test = find_case(GetParam());
  StepErrors errors(test);
  const auto generated = make_images(load_model(test.model), test.request, errors.on_step());
  EXPECT_LT(errors.worst(), kNetworkTolerance) << errors;
  const auto images = test.expected.tensor("images") * 2 - 1;
  ASSERT_EQ(generated.images.sizes(), images.sizes());
  for (std::int64_t k = 0; k < images.size(0); ++k)
    EXPECT_GT(psnr(generated.images[k], images[k]), 60) << "image " << k;
}

INSTANTIATE_TEST_SUITE_P(, PipelineParity,
                         ::testing::Values("ddim", "negative", "odd_size", "unguided", "eta", "rescale", "ddpm",
                                           "ddpm_unguided", "ddim_of_ddpm_folder", "older_folder", "clip_skip",
                                           "distilled", "xl", "xl_empty_negative", "xl_sizes", "xl_unguided",
                                           "xl_img2img", "refiner", "img2img", "img2img_whole", "img2img_eta",
                                           "hires_latent", "hires_bicubic", "hires_lanczos", "edit", "edit_closely",
                                           "edit_unguided", "tiling", "tiling_img2img", "subseed", "edm", "edm_img2img",
                                           "edm_euler", "edm_euler_img2img", "sa_solver", "sa_solver_img2img", "ipndm",
                                           "pndm_img2img", "lms_img2img"),
                         [](const auto& info) { return info.param; });

/// That the comparison can fail: how far the final latents move when one thing of the request changes.
double moved_by(const std::string& name, const std::function<void(Request&)>& change) {
  const auto test = find_case(name);
  auto request = test.request;
  change(request);
  return relative_error(make_images(load_model(test.model), request).latents, test.last());
}

TEST(PipelineParityCanFail, AnotherPromptOrSeedIsAnotherImage) {
  EXPECT_GT(moved_by("ddim", [](Request& request) { request.prompt = "three red apples above a house"; }), 0.05);
  EXPECT_GT(moved_by("ddim", [](Request& request) { request.seed += 1; }), 0.05);
  EXPECT_GT(moved_by("ddpm", [](Request& request) { request.prompt = "three red apples above a house"; }), 0.05);
  EXPECT_GT(moved_by("negative", [](Request& request) { request.negative_prompt = ""; }), 100 * kNetworkTolerance);
}

TEST(PipelineParityCanFail, WhatOnlySomeModelsAreToldShows) {
  const double least = 10 * kNetworkTolerance;
  EXPECT_GT(moved_by("clip_skip", [](Request& request) { request.clip_skip = 1; }), least);
  EXPECT_GT(moved_by("distilled", [](Request& request) { request.guidance_scale = 7; }), least);
  EXPECT_GT(moved_by("xl", [](Request& request) { request.negative_prompt = ""; }), least);
  EXPECT_GT(moved_by("xl_empty_negative", [](Request& request) { request.negative_prompt.reset(); }), least);
  EXPECT_GT(moved_by("xl_sizes", [](Request& request) { request.crop_top = 31; }), least);
  EXPECT_GT(moved_by("xl_sizes", [](Request& request) { request.original_width = 0; }), least);
}

TEST(PipelineParityCanFail, WhatAModelThatEditsIsToldShows) {
  const double least = 100 * kNetworkTolerance;
  EXPECT_GT(moved_by("edit", [](Request& request) { request.image_guidance_scale = 1.6; }), least);
  EXPECT_GT(moved_by("edit", [](Request& request) { request.guidance_scale = 7; }), least);
  EXPECT_GT(moved_by("edit_closely", [](Request& request) { request.negative_prompt = ""; }), least);
}

TEST(PipelineParityCanFail, AFreshMultistepStartShows) {
  for (const std::string name : {"pndm_img2img", "lms_img2img"})
    EXPECT_GT(moved_by(name, [](Request& request) { request.multistep_start = "fresh"; }), 10 * kNetworkTolerance);
}

TEST(PipelineParityCanFail, AnotherSigmaDataOrRhoShows) {
  const auto test = find_case("edm");
  auto model = load_model(test.model);
  const auto config = model.schedule.config();
  const auto error_with = [&](double sigma_data, double rho) {
    auto other = config;
    other.sigma_data = sigma_data;
    other.rho = rho;
    model.schedule = Schedule(other);
    return relative_error(make_images(model, test.request).latents, test.last());
  };
  EXPECT_LT(error_with(0.5, 7), kNetworkTolerance);
  EXPECT_GT(error_with(0.51, 7), 10 * kNetworkTolerance);
  EXPECT_GT(error_with(0.5, 6.9), 10 * kNetworkTolerance);
}

TEST(EditingModel, IsRefusedWhereNoImageIsGiven) {
  const auto test = find_case("edit");
  const auto model = load_model(test.model);
  auto request = test.request;
  EXPECT_THROW(text_to_image(model, request), std::invalid_argument);
  request.prompt = "a cat AND a dog";
  request.prompt_syntax = "a1111";
  EXPECT_THROW(make_images(model, request), std::invalid_argument);
}

TEST(EditingModel, AnotherModelWarnsOfAnImageGuidance) {
  const auto test = find_case("img2img");
  auto request = test.request;
  request.image_guidance_scale = 2;
  const auto made = make_images(load_model(test.model), request);
  EXPECT_TRUE(std::any_of(made.warnings.begin(), made.warnings.end(), [](const std::string& warning) {
    return warning.starts_with("image guidance scale 2 has no effect");
  }));
}

TEST(PipelineParityCanFail, ATimestepOffByOneShows) {
  const auto test = find_case("ddim");
  auto model = load_model(test.model);
  auto config = model.schedule.config();
  config.steps_offset -= 1;
  model.schedule = Schedule(config);
  const auto latents = make_images(model, test.request).latents;
  EXPECT_GT(relative_error(latents, test.last()), 10 * kNetworkTolerance);
}

TEST(PipelineParityCanFail, AnotherUpscalerOrAStepMoreShows) {
  EXPECT_GT(moved_by("hires_latent", [](Request& request) { request.hires.upscaler = "latent-bicubic"; }), 0.01);
  EXPECT_GT(moved_by("hires_latent", [](Request& request) { request.hires.upscaler = "latent-nearest"; }), 0.01);
  EXPECT_GT(moved_by("hires_latent", [](Request& request) { request.hires.steps += 1; }), 100 * kNetworkTolerance);
  EXPECT_GT(moved_by("hires_lanczos", [](Request& request) { request.hires.upscaler = "nearest"; }), 0.01);
}

TEST(PipelineParityCanFail, PaddingWithZerosOrAnotherSubseedShows) {
  EXPECT_GT(moved_by("tiling", [](Request& request) { request.tiling = false; }), 100 * kNetworkTolerance);
  EXPECT_GT(moved_by("tiling_img2img", [](Request& request) { request.tiling = false; }), 100 * kNetworkTolerance);
  EXPECT_GT(moved_by("subseed", [](Request& request) { request.subseed += 1; }), 0.01);
  EXPECT_GT(moved_by("subseed", [](Request& request) { request.subseed_strength = 0.31; }), 10 * kNetworkTolerance);
}

/// Smooth latents, and what the decoder makes of them at their own size.
struct Smooth {
  explicit Smooth(const StableDiffusion& model) {
    const torch::NoGradGuard no_gradients;
    const auto coarse = torch::randn({1, 4, 4, 4}, seeded_generator(7), torch::kFloat32);
    latents = at::upsample_bilinear2d(coarse, std::vector<std::int64_t>{16, 16}, false);
    colors = at::avg_pool2d(model.vae->decode(model.vae->unscale(latents)), 4);
  }
  torch::Tensor latents, colors;
};

// Of a random decoder, too, a linear function of the channels explains more than a constant does.
TEST(LatentPreview, IsCloserToTheDecodedImageThanItsMeanColour) {
  const auto model = load_model("clip");
  const LatentPreview preview(model);
  const Smooth smooth(model);
  const auto image = preview(smooth.latents);
  ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 64, 64}));
  const auto error = [&](const torch::Tensor& colors) {
    return (colors - smooth.colors).square().mean().item<double>();
  };
  const auto mean = smooth.colors.mean({2, 3}, true);
  EXPECT_LT(error(at::avg_pool2d(image, 4)), error(mean));
  EXPECT_GT(error(at::avg_pool2d(preview(smooth.latents.flip(1)), 4)), error(mean)) << "channels that are mixed up";
}

TEST(Tiling, BelongsToTheRequestAndNotToTheModel) {
  const auto test = find_case("tiling");
  const auto model = load_model(test.model);
  auto plain = test.request;
  plain.tiling = false;
  const auto before = make_images(model, plain).images;
  make_images(model, test.request);
  EXPECT_TRUE(torch::equal(make_images(model, plain).images, before));
}

TEST(ImageToImage, WithoutAStepItIsTheReconstruction) {
  const auto test = find_case("img2img");
  auto request = test.request;
  request.strength = 0.05;
  const auto model = load_model(test.model);
  const auto generated = make_images(model, request);
  NoiseSource noise({request.seed, request.seed + 1});
  const auto image = resize_lanczos(read_image(parity_folder() / "init.png"), 48, 68);
  const torch::NoGradGuard no_gradients;
  const auto posterior = model.vae->encode(image);
  const auto latents = model.vae->scale(posterior.sample(noise.draw({4, 12, 17})));
  EXPECT_LT(relative_error(generated.latents, latents), 1e-6);
  EXPECT_LT(relative_error(generated.images, model.vae->decode(model.vae->unscale(latents))), 1e-4);
}

TEST(Images, OneSeedIsOneImageAtAnyBatchSize) {
  auto test = find_case("ddim");
  const auto model = load_model(test.model);
  const auto both = make_images(model, test.request).latents;
  test.request.batch_count = 1;
  test.request.seed += 1;
  EXPECT_LT(relative_error(make_images(model, test.request).latents, both.slice(0, 1)), 1e-5);
}

}  // namespace
}  // namespace sfumato
