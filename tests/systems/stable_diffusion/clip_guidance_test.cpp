#include "systems/stable_diffusion/clip_guidance.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "checkpoints/load.h"
#include "systems/clip_guidance.h"
#include "systems/small_clip.h"
#include "systems/stable_diffusion/random_model.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Tokenizer with one token for each letter, for texts of up to 7 letters.
class ClipLetters : public Letters {
 public:
  SpecialIds special_ids() const override { return {.bos = {}, .eos = 256, .pad = 256, .comma = {}}; }
  std::int64_t max_length() const override { return 8; }
};

/// Returns a CLIP of random weights, loaded without the files of a tokenizer.
std::shared_ptr<const CLIP> random_clip(const SmallClip& properties) {
  const auto folder = fs::temp_directory_path() / ("sd-clip-test-" + std::to_string(::getpid()));
  write_small_clip(folder, properties);
  auto clip = std::make_shared<CLIP>();
  clip->model = from_pretrained<CLIPModelImpl>(folder, {}, {.private_memory = true});
  clip->tokenizer = std::make_shared<ClipLetters>();
  if (!properties.scheduler.is_null()) clip->schedule.emplace(ScheduleConfig::from_json(properties.scheduler));
  clip->name = "random";
  fs::remove_all(folder);
  return clip;
}

Request clip_request(double scale) {
  Request request{.prompt = "a (cat:1.3)", .width = kSide, .height = kSide, .steps = 8};
  request.sampler = "ddim";
  request.seed = 3;
  if (scale > 0) request.clip_guidance = {.model = "random", .scale = scale};
  return request;
}

double similarity_to(const CLIP& clip, const torch::Tensor& images) {
  const torch::NoGradGuard no_gradients;
  const auto image = unit_length(clip.model->image_features(clip.prepare(images)));
  return (image * clip.encode_text("a cat")).sum().item<double>();
}

const Json kModelSchedule = {{"_class_name", "DDIMScheduler"}};

TEST(ClipGuidance, RaisesTheSimilarityOfTheDecodedImage) {
  at::set_num_threads(1);
  const auto model = model_at({});
  const auto clip = random_clip({.image_size = 16});
  const auto plain = text_to_image(model, clip_request(0)).images;
  const auto guided = text_to_image(model, clip_request(100), {}, {.clip = clip}).images;
  EXPECT_TRUE(torch::isfinite(guided).all().item<bool>());
  EXPECT_GT(similarity_to(*clip, guided), similarity_to(*clip, plain));
}

TEST(ClipGuidance, WorksForImageToImageAndInpainting) {
  const auto model = model_at({});
  const auto clip = random_clip({.image_size = 16});
  const auto image = torch::rand({1, 3, kSide, kSide}, seeded_generator(1)) * 2 - 1;
  const auto plain = image_to_image(model, clip_request(0), image).images;
  EXPECT_FALSE(torch::equal(image_to_image(model, clip_request(100), image, {}, {.clip = clip}).images, plain));
  auto mask = torch::zeros({1, 1, kSide, kSide});
  mask.slice(3, 0, kSide / 2).fill_(1);
  auto request = clip_request(100);
  request.inpaint = {.mask = "mask", .mask_blur = 0};
  const auto filled = inpaint(model, request, {.image = image, .mask = mask}, {}, {.clip = clip}).images;
  EXPECT_TRUE(torch::equal(filled.slice(3, kSide / 2), image.slice(3, kSide / 2)));
}

TEST(ClipGuidance, ANoisedClipReadsTheLatents) {
  const auto model = model_at({});
  const auto clip = random_clip({.image_size = 8, .num_channels = 4, .scheduler = kModelSchedule});
  const auto plain = text_to_image(model, clip_request(0)).latents;
  EXPECT_FALSE(torch::equal(text_to_image(model, clip_request(1), {}, {.clip = clip}).latents, plain));
  auto nowhere = clip_request(1);
  nowhere.guidance_end = 0;
  auto plain_nowhere = clip_request(0);
  plain_nowhere.guidance_end = 0;
  EXPECT_TRUE(torch::equal(text_to_image(model, nowhere, {}, {.clip = clip}).latents,
                           text_to_image(model, plain_nowhere).latents));
}

std::string clip_refusal(const Request& request, const Attachments& attachments) {
  try {
    text_to_image(model_at({}), request, {}, attachments);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ClipGuidance, RefusesWhatDoesNotFit) {
  const auto noised = [](std::int64_t channels, std::int64_t side) {
    return Attachments{.clip =
                           random_clip({.image_size = side, .num_channels = channels, .scheduler = kModelSchedule})};
  };
  EXPECT_EQ(clip_refusal(clip_request(1), {}), "clip model 'random': expected one loaded for the request");
  EXPECT_EQ(clip_refusal(clip_request(1), noised(3, 8)),
            "clip model 'random': a noised model of 3 channels, expected 4 as the diffusion model's x");
  EXPECT_EQ(clip_refusal(clip_request(1), noised(4, 16)),
            "clip model 'random': a noised model of 16x16, expected 8x8 as the diffusion model's x");
  auto request = clip_request(1);
  request.clip_guidance.scale = -1;
  EXPECT_EQ(clip_refusal(request, {}), "clip guidance -1: expected 0, or a number above it up to 1000000");
  request.clip_guidance = {.model = "", .scale = 2};
  EXPECT_EQ(clip_refusal(request, {}), "clip guidance 2: expected a clip model with it");
}

TEST(ClipGuidance, ANoisedClipTakesNoSecondPassOfAnotherSize) {
  const auto model = model_at({});
  const auto noised = random_clip({.image_size = 8, .num_channels = 4, .scheduler = kModelSchedule});
  auto request = clip_request(1);
  request.hires.scale = 2;
  EXPECT_EQ(clip_refusal(request, {.clip = noised}),
            "clip model 'random' is noised and takes latents of one size, but the second pass has another: expected a "
            "CLIP that is not noised, or no hires scale, hires width and hires height");
  EXPECT_EQ(clip_refusal(request, {.clip = random_clip({.image_size = 16})}), "");
  request.hires.scale = 1;
  EXPECT_EQ(clip_refusal(request, {.clip = noised}), "");
}

TEST(ClipGuidance, AnImagesRecordContainsIt) {
  const auto request = clip_request(70);
  const auto json = Json::parse(to_json(request).dump());
  EXPECT_EQ(json.at("clip_guidance"), (Json{{"model", "random"}, {"scale", 70.0}}));
  EXPECT_EQ(request_from_json(json).clip_guidance, request.clip_guidance);
  EXPECT_FALSE(to_json(clip_request(0)).contains("clip_guidance"));
}

}  // namespace
}  // namespace sfumato
