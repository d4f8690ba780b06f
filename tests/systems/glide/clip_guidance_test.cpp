#include "systems/clip_guidance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "systems/glide/generate.h"
#include "systems/glide/small_folder.h"
#include "systems/glide/stage.h"
#include "systems/small_clip.h"

namespace sfumato {
namespace {

const Json kCosine = {{"_class_name", "DDPMScheduler"}, {"beta_schedule", "squaredcos_cap_v2"}};

class GLIDEWithClip : public GLIDEFolder {
 protected:
  std::shared_ptr<const CLIP> clip(const SmallClip& properties) const {
    fs::remove_all(folder_ / "clip");
    write_small_clip(folder_ / "clip", properties);
    fs::copy(folder_ / "tokenizer", folder_ / "clip" / "tokenizer");
    return load_clip(folder_ / "clip", torch::kCPU);
  }
  std::shared_ptr<const CLIP> noised() const { return clip({.scheduler = kCosine}); }

  GLIDERequest request(double clip_scale, double guidance_scale = 3, const std::string& sampler = "ddpm") const {
    return {.prompt = "a cat",
            .seed = 5,
            .base = {.chain = {.sampler = sampler, .steps = 12}, .guidance_scale = guidance_scale},
            .upsample = {.chain = {.steps = 2}},
            .upsamples = false,
            .clip_scale = clip_scale,
            .clip_model = clip_scale > 0 ? "clip" : ""};
  }

  std::string refusal_of(const std::shared_ptr<const CLIP>& clip) const {
    const auto model = load();
    try {
      resolve(model, request(1), clip);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  }
};

/// Checks a value's gradient, in float64, at some elements of x. The differences' error is 1e-10 of the values' size.
void expect_finite_differences(const GuidanceValue& value, const torch::Tensor& x, const Estimate& estimate,
                               const Evaluation& evaluation, double tolerance) {
  const auto gradient = value_gradient(value, x, estimate, evaluation);
  const double step = tolerance < 1e-4 ? 1e-5 : 1e-2;
  const auto value_at = [&](const torch::Tensor& at) {
    const auto x0 = estimate.x0 + (at - x) / evaluation.level.alpha;
    return value(at, x0, evaluation).sum().item<double>();
  };
  const double size = gradient.abs().max().item<double>();
  EXPECT_GT(size, 0);
  for (const std::int64_t index : {0, 77, 130, 191}) {
    auto up = x.clone(), down = x.clone();
    up.view(-1)[index] += step;
    down.view(-1)[index] -= step;
    const double expected = (value_at(up) - value_at(down)) / (2 * step);
    EXPECT_NEAR(gradient.reshape(-1)[index].item<double>(), expected, tolerance * size) << index;
  }
}

TEST_F(GLIDEWithClip, TheGradientOfANoisedClipIsTheFiniteDifference) {
  const auto model = load();
  const auto clip = noised();
  clip->model->to(torch::kFloat64);
  const auto value = clip_value(clip, {.distinct = {"a cat"}, .of_step = {0}}, guided_space(model, model.base));
  const auto x = torch::randn({1, 3, 8, 8}, seeded_generator(1), torch::kFloat64);
  expect_finite_differences(value, x, {.x0 = x, .eps = x, .variance = {}}, {.level = model.base.schedule.level_at(400)},
                            1e-6);
}

// In float32: rounding of the values, 1e-6, over twice the step, 1e-2.
TEST_F(GLIDEWithClip, TheGradientThroughTheImageIsTheFiniteDifference) {
  const auto model = load();
  const auto clip = this->clip({.image_size = 16});
  const auto value = clip_value(clip, {.distinct = {"a cat"}, .of_step = {0}}, guided_space(model, model.base));
  const auto x = torch::randn({1, 3, 8, 8}, seeded_generator(1)) * 0.3, x0 = x * 0.5;
  expect_finite_differences(value, x, {.x0 = x0, .eps = x, .variance = {}},
                            {.level = model.base.schedule.level_at(400)}, 2e-2);
}

TEST_F(GLIDEWithClip, GuidanceRaisesTheSimilarityToThePrompt) {
  const auto model = load();
  for (const auto& properties : {SmallClip{.scheduler = kCosine}, SmallClip{.image_size = 16}}) {
    const auto clip = this->clip(properties);
    const auto value = clip_value(clip, {.distinct = {"a cat"}, .of_step = {0}}, guided_space(model, model.base));
    const auto similarity = [&](const torch::Tensor& x0) {
      const torch::NoGradGuard no_gradients;
      return value(x0, x0, {.level = model.base.schedule.level_at(0)}).item<double>();
    };
    for (const auto* sampler : {"ddpm", "ddim", "dpm++2m", "heun"})
      for (const double guidance : {1.0, 3.0}) {
        const double plain = similarity(generate(model, resolve(model, request(0, guidance, sampler))).base);
        const double scale = clip->schedule ? 1 : 30;
        const auto guided = generate(model, resolve(model, request(scale, guidance, sampler), clip)).base;
        EXPECT_TRUE(torch::isfinite(guided).all().item<bool>()) << sampler;
        EXPECT_GT(similarity(guided), plain) << sampler << " at guidance " << guidance;
      }
  }
}

TEST_F(GLIDEWithClip, ASeedMeansOneGuidedImageInAnyBatch) {
  const auto model = load();
  const auto clip = noised();
  auto two = request(1);
  two.batch_count = 2;
  auto second = request(1);
  second.seed = 6;
  const auto difference =
      generate(model, resolve(model, two, clip)).base[1] - generate(model, resolve(model, second, clip)).base[0];
  EXPECT_LE(difference.abs().max().item<double>(), 5e-4);  // as without guidance, generate_test.cpp
}

TEST_F(GLIDEWithClip, InpaintingKeepsWhatIsKnown) {
  make_inpainting();
  const auto model = load();
  const auto image = torch::rand({1, 3, 8, 8}, seeded_generator(1)) * 2 - 1;
  auto mask = torch::zeros({1, 1, 8, 8});
  mask.slice(2, 0, 4).fill_(1);
  const auto images = inpaint(model, resolve(model, request(1), noised()), {.image = image, .mask = mask});
  EXPECT_LE((images.base - image).slice(2, 4).abs().max().item<double>(), 1e-6);
}

TEST_F(GLIDEWithClip, RefusesAClipThatDoesNotFit) {
  EXPECT_EQ(refusal_of(noised()), "");
  const auto expect_refused = [&](const SmallClip& properties, const std::string& message) {
    const auto refusal = refusal_of(clip(properties));
    EXPECT_NE(refusal.find(message), std::string::npos) << refusal;
    EXPECT_TRUE(refusal.starts_with("clip model '")) << refusal;
  };
  expect_refused({.num_channels = 4, .scheduler = kCosine}, "a noised model of 4 channels, expected 3");
  expect_refused({.image_size = 16, .scheduler = kCosine}, "a noised model of 16x16, expected 8x8");
  expect_refused({.num_channels = 4}, "it takes 4 channels, expected 3");
  auto linear = kCosine;
  linear["beta_schedule"] = "linear";
  expect_refused({.scheduler = linear}, "alphas_cumprod at timestep 0 is 0.9999, expected 0.99995");
  linear["num_train_timesteps"] = 500;
  expect_refused({.scheduler = linear}, "has 500 timesteps, expected the model's 1000");
  EXPECT_EQ(refusal_of(nullptr), "clip guidance is 1, expected a clip model with it");
}

TEST_F(GLIDEWithClip, RefusesAFolderWithoutAClipModel) {
  const auto message = [&](const fs::path& folder) -> std::string {
    try {
      load_clip(folder, torch::kCPU);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(folder_).find("no CLIPModel: it has no config.json"), std::string::npos);
  EXPECT_NE(message(folder_ / "text_unet").find("'text_config' is missing; expected a config"), std::string::npos);
  write_small_clip(folder_ / "alone", {.scheduler = kCosine});
  fs::copy(folder_ / "tokenizer", folder_ / "alone" / "tokenizer");
  fs::remove(folder_ / "alone" / "scheduler_config.json");
  EXPECT_NE(message(folder_ / "alone").find("without scheduler_config.json"), std::string::npos);
}

}  // namespace
}  // namespace sfumato
