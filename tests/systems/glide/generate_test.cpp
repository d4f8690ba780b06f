#include "systems/glide/generate.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <stdexcept>
#include <string>

#include "systems/glide/small_folder.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

GLIDERequest short_request(std::uint64_t seed = 5, std::int64_t count = 1) {
  return {.prompt = "a cat",
          .seed = seed,
          .batch_count = count,
          .base = {.chain = {.steps = 3}, .guidance_scale = 3},
          .upsample = {.chain = {.steps = 2}}};
}

TEST_F(GLIDEFolder, MakesBothStages) {
  const auto model = load();
  int steps = 0;
  const auto images = generate(model, resolve(model, short_request()), [&](int step, int all, const torch::Tensor&) {
    EXPECT_EQ(step, steps++);
    EXPECT_EQ(all, 5);
    return true;
  });
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(images.base.sizes(), torch::IntArrayRef({1, 3, 8, 8}));
  EXPECT_EQ(images.upsampled.sizes(), torch::IntArrayRef({1, 3, 16, 16}));
}

TEST_F(GLIDEFolder, TheBaseModelAloneIsTheCascadesFirstStage) {
  const auto model = load();
  auto request = short_request();
  const auto both = generate(model, resolve(model, request));
  request.upsamples = false;
  const auto base = generate(model, resolve(model, request));
  EXPECT_FALSE(base.upsampled.defined());
  EXPECT_TRUE(torch::equal(base.result(), both.base));
}

TEST_F(GLIDEFolder, ASeedMeansOneImageInAnyBatch) {
  const auto model = load();
  const auto two = generate(model, resolve(model, short_request(5, 2))).result();
  const auto second = generate(model, resolve(model, short_request(6))).result();
  // Float32 sums in another batch, 3e-6, times sigma / alpha of the noisiest level, 157.
  EXPECT_LE((two[1] - second[0]).abs().max().item<double>(), 5e-4);
}

TEST_F(GLIDEFolder, DefaultsAreTheReleasedRespacings) {
  const auto model = load();
  const auto job = resolve(model, {.prompt = "a cat"});
  EXPECT_EQ(job.base.sampler.name, "ddpm");
  EXPECT_EQ(job.base.steps.size(), 100U);
  EXPECT_EQ(job.base.options.variance_type, "learned_range");
  EXPECT_EQ(job.upsample->sampler.name, "ddim");
  EXPECT_EQ(job.upsample->steps.size(), 27U);
  EXPECT_EQ(job.request.upsample.chain.respacing, "fast27");
}

TEST_F(GLIDEFolder, AStageThatClipsNothingStartsWhereXContainsSignal) {
  write_json(folder_ / "text_noise_scheduler" / "scheduler_config.json", Json{{"_class_name", "DDPMScheduler"},
                                                                              {"beta_schedule", "squaredcos_cap_v2"},
                                                                              {"clip_sample", false},
                                                                              {"variance_type", "learned_range"}});
  const auto model = load();
  auto request = short_request();
  request.base.chain.steps = 50;
  const auto job = resolve(model, request);
  EXPECT_EQ(job.base.steps.size(), 50U);
  EXPECT_EQ(job.base.steps.front().from.t, 980);
  request.base.chain.steps = 0;
  EXPECT_EQ(resolve(model, request).base.steps.size(), 100U);
  request.base.chain.respacing = "50";
  EXPECT_THROW(resolve(model, request), std::invalid_argument);
}

TEST_F(GLIDEFolder, ADenoiserLetsGradientsThrough) {
  const auto model = load();
  const auto request = short_request();
  const auto denoise = glide_denoiser(model, model.base, {}, request, 3);
  const auto x = torch::randn({1, 3, 8, 8}).requires_grad_();
  const auto level = model.base.schedule.level_at(500);
  denoise(x, {level, 0, 0}).eps.square().sum().backward();
  EXPECT_GT(x.grad().abs().max().item<double>(), 0);
}

TEST_F(GLIDEFolder, InpaintingKeepsWhatIsKnown) {
  make_inpainting();
  const auto model = load();
  const auto image = torch::randn({1, 3, 16, 16}).clamp(-1, 1);
  auto mask = torch::zeros({1, 1, 16, 16});
  mask.slice(2, 4, 9).slice(3, 6, 12).fill_(1);
  const auto images = inpaint(model, resolve(model, short_request()), {.image = image, .mask = mask});
  // A pixel of the base model covers two of the image's on each side: rows 4 to 9, columns 6 to 11.
  auto anew = torch::zeros({1, 1, 16, 16}, torch::kBool);
  anew.slice(2, 4, 10).slice(3, 6, 12).fill_(true);
  const auto change = (images.result() - image).abs();
  EXPECT_LE(change.masked_select(anew.logical_not()).max().item<double>(), 1e-6);
  EXPECT_GT(change.masked_select(anew).max().item<double>(), 1e-2);
}

TEST_F(GLIDEFolder, InpaintingRefusesWhatDoesNotFit) {
  const auto plain = load();
  const auto job = resolve(plain, short_request());
  const auto message = [](const GLIDE& model, const GLIDEJob& job, const GLIDEMaskedImage& masked) -> std::string {
    try {
      inpaint(model, job, masked);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  const GLIDEMaskedImage masked{.image = torch::zeros({1, 3, 16, 16}), .mask = torch::ones({1, 1, 12, 16})};
  EXPECT_NE(message(plain, job, masked).find("3 input channels, expected 7"), std::string::npos);
  make_inpainting();
  const auto model = load();
  EXPECT_EQ(message(model, resolve(model, short_request()), masked),
            "the mask is 16x12, expected the image's size, 16x16");
  EXPECT_EQ(
      message(model, resolve(model, short_request()), {.image = torch::zeros({1, 3, 12, 16}), .mask = masked.mask}),
      "the image is 16x12, expected a square: the model makes 16 pixels a side");
  const auto black = torch::zeros({1, 1, 16, 16});
  EXPECT_EQ(message(model, resolve(model, short_request()), {.image = masked.image, .mask = black}),
            "the mask is black everywhere, expected white where the image is made anew");
  EXPECT_THROW(generate(model, resolve(model, short_request())), std::invalid_argument);
}

TEST_F(GLIDEFolder, ResolveRefusesValuesOutOfRange) {
  const auto model = load();
  const auto message = [&](const GLIDERequest& request) -> std::string {
    try {
      resolve(model, request);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({.prompt = "x", .batch_count = 0}), "batch count is 0, expected 1 to 1000");
  EXPECT_EQ(message({.prompt = "x", .base = {.guidance_scale = 0.5}}), "guidance scale is 0.5, expected 1 or more");
  EXPECT_EQ(message({.prompt = "x", .upsample_temp = 0}), "upsample temp is 0, expected more than 0");
  EXPECT_NE(message({.prompt = "x", .base = {.chain = {.respacing = "ddim999"}}}).find("no whole stride"),
            std::string::npos);
}

}  // namespace
}  // namespace sfumato
