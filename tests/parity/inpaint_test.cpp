#include <gtest/gtest.h>

#include "images/mask.h"
#include "images/pixels.h"
#include "parity/pipeline_case.h"

namespace sfumato {
namespace {

MaskedImage picture() {
  return {read_image(parity_folder() / "init.png"), read_mask(parity_folder() / "mask.png")};
}

Generated generate(const StableDiffusion& model, const Request& request, const OnStep& on_step = {}) {
  return inpaint(model, request, picture(), on_step);
}

void expect_that_of_diffusers(const StableDiffusion& model, const PipelineCase& test) {
  StepErrors errors(test);
  const auto generated = generate(model, test.request, errors.on_step());
  EXPECT_LT(errors.worst(), kNetworkTolerance) << errors;
  const auto images = test.expected.tensor("images") * 2 - 1;
  ASSERT_EQ(generated.images.sizes(), images.sizes());
  // Laid over, the reference rounds to 8 bits when it resizes, when it multiplies by the mask and when it adds: up to
  // three of the 255 steps, whose width here is 2 / 255. Otherwise rounding in float32 is all there is.
  const double allowed = test.request.inpaint.paste ? 3 * 2.0 / 255 : 1e-3;
  EXPECT_LT((generated.images.clamp(-1, 1) - images).abs().max().item<double>(), allowed);
}

class InpaintParity : public ::testing::TestWithParam<std::string> {};

TEST_P(InpaintParity, EveryStepAndTheImageAreThoseOfDiffusers) {
  const auto test = find_case(GetParam());
  expect_that_of_diffusers(load_model(test.model), test);
}

INSTANTIATE_TEST_SUITE_P(, InpaintParity,
                         ::testing::Values("sd4", "sd4_part", "sd4_unguided", "sd4_euler_a", "sd4_pndm", "sd4_dpm",
                                           "sd4_heun", "sd4_heun_part", "sd4_dpm2", "sd4_only_masked", "sd9",
                                           "sd9_part", "xl4", "xl9"),
                         [](const auto& info) { return info.param; });

TEST(InpaintingSingleFile, OfNineChannelsIsWhatItsFolderIs) {
  expect_that_of_diffusers(load_model("single_file.safetensors"), find_case("xl9"));
}

/// That the comparison can fail: how far the final latents of a case move with `model` and `request` changed.
double moved_by(const std::string& name, const std::function<void(StableDiffusion&, Request&)>& change) {
  const auto test = find_case(name);
  auto model = load_model(test.model);
  auto request = test.request;
  change(model, request);
  return relative_error(generate(model, request).latents, test.last());
}

TEST(InpaintParityCanFail, ATimestepOffByOneShows) {
  const auto shifted = [](StableDiffusion& model, Request&) {
    auto config = model.schedule.config();
    config.steps_offset -= 1;
    model.schedule = Schedule(config);
  };
  for (const auto* name : {"sd4", "sd4_part", "sd4_heun", "sd4_dpm2", "sd9", "xl4"})
    EXPECT_GT(moved_by(name, shifted), 10 * kNetworkTolerance) << name;
}

TEST(InpaintParityCanFail, AMaskOneLatentPixelAsideShows) {
  for (const auto& [name, factor] : {std::pair("sd4", 4), std::pair("sd9", 4), std::pair("xl9", 8)}) {
    const auto test = find_case(name);
    auto masked = picture();
    masked.mask = masked.mask.roll(factor, 3);
    EXPECT_GT(relative_error(inpaint(load_model(test.model), test.request, masked).latents, test.last()), 0.01) << name;
  }
}

TEST(InpaintParityCanFail, DrawsInAnotherOrderShow) {
  // Those of the second picture's generator are not those of the first's.
  const auto test = find_case("sd4_part");
  auto request = test.request;
  request.batch_count = 1;
  const auto first = generate(load_model(test.model), request).latents;
  EXPECT_LT(relative_error(first, test.last().slice(0, 0, 1)), kNetworkTolerance);
  EXPECT_GT(relative_error(first, test.last().slice(0, 1, 2)), 0.05);
}

TEST(InpaintedImages, KeepTheRestToTheLastBit) {
  const auto test = find_case("sd4");
  auto request = test.request;
  request.inpaint.paste = true;
  const auto images = generate(load_model(test.model), request).images;
  const auto original = picture();
  ASSERT_EQ(images.sizes().slice(2), original.image.sizes().slice(2)) << "as large as the picture, not as the latents";
  const auto outside = (blur_mask(original.mask, request.inpaint.mask_blur) == 0).expand({1, 3, -1, -1});
  EXPECT_GT(outside.sum().item<std::int64_t>(), 1000);
  for (std::int64_t k = 0; k < 2; ++k) {
    const auto one = images.slice(0, k, k + 1);
    EXPECT_TRUE(torch::equal(one.masked_select(outside), original.image.masked_select(outside)));
    EXPECT_FALSE(torch::allclose(one, original.image, 0, 0.1)) << "the rest is made anew";
  }
}

TEST(InpaintedImages, AMaskWithoutWhiteIsRefused) {
  const auto test = find_case("sd4");
  const auto model = load_model(test.model);
  const MaskedImage black{picture().image, torch::zeros({1, 1, 20, 20})};
  EXPECT_THROW(inpaint(model, test.request, black), std::invalid_argument);
}

TEST(ModelsForInpainting, MakeImagesFromTextAndFromPicturesToo) {
  const auto model = load_model("sd9");
  const Request request{.prompt = "a cat", .steps = 2, .seed = 1};
  EXPECT_TRUE(torch::isfinite(text_to_image(model, request).images).all().item<bool>());
  EXPECT_TRUE(torch::isfinite(image_to_image(model, request, picture().image).images).all().item<bool>());
}

TEST(Masks, AreBlurredAsPillowDoes) {
  const SafetensorsFile expected(parity_folder() / "masks.safetensors");
  for (const auto& name : expected.names()) {
    if (!name.starts_with("blur.")) continue;
    const auto blurred = blur_mask(picture().mask, std::stod(name.substr(5)));
    EXPECT_LT((blurred - expected.tensor(name)).abs().max().item<double>(), 1e-6) << name;
  }
}

TEST(Masks, TheRegionAroundThemIsThatOfDiffusers) {
  for (const auto& one : read_json(parity_folder() / "regions.json")) {
    const auto region = masked_region(picture().mask, one.at("padding"), one.at("height"), one.at("width"));
    const std::vector<std::int64_t> actual = {region.top, region.left, region.height, region.width};
    EXPECT_EQ(actual, one.at("region").get<std::vector<std::int64_t>>()) << one;
  }
}

TEST(Masks, ImagesOfAnotherRatioAreFilledOrCutAsDiffusersDoes) {
  const SafetensorsFile expected(parity_folder() / "masks.safetensors");
  for (const auto& name : expected.names()) {
    if (name.starts_with("blur.")) continue;
    const auto image = expected.tensor(name);
    const auto fit = name.starts_with("fill") ? resize_and_fill : resize_and_crop;
    const auto actual = fit(picture().image, image.size(2), image.size(3));
    // The border that fills is rounded to 8 bits there.
    EXPECT_LT((actual - image).abs().max().item<double>(), 1.01 / 255) << name;
  }
}

}  // namespace
}  // namespace sfumato
