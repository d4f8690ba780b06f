#include "systems/stable_diffusion/refiner.h"

#include <gtest/gtest.h>

#include "checkpoints/safetensors.h"
#include "images/read.h"
#include "parity/compare.h"
#include "systems/stable_diffusion/generate.h"

namespace sfumato {
namespace {

struct RefinerCase {
  std::string model;
  Request request;
};

RefinerCase refiner_case(const std::string& name) {
  for (auto json : read_json(parity_folder() / "cases.json")) {
    if (json.at("name") != name) continue;
    const auto model = json.at("model").get<std::string>();
    json.erase("name");
    json.erase("model");
    return {model, request_from_json(json)};
  }
  throw std::runtime_error("no case " + name);
}

struct ModelAndRefiner {
  StableDiffusion model;
  Attachments attachments;
};

ModelAndRefiner load_both(const RefinerCase& test) {
  at::set_num_threads(1);  // networks this small only wait for each other on more
  auto model = load_stable_diffusion(parity_folder() / test.model, {});
  auto refiner = load_refiner(parity_folder() / test.request.refiner.model, model);
  return {std::move(model), {.refiner = std::move(refiner)}};
}

/// The latents after each step.
std::vector<torch::Tensor> latents_of(const RefinerCase& test) {
  std::vector<torch::Tensor> latents;
  const OnStep keep = [&](int, int, const torch::Tensor& x) { return latents.push_back(x.clone()), true; };
  const auto [model, attachments] = load_both(test);
  if (test.request.image.empty()) {
    text_to_image(model, test.request, keep, attachments);
  } else {
    image_to_image(model, test.request, read_image(parity_folder() / test.request.image), keep, attachments);
  }
  return latents;
}

class RefinerParity : public ::testing::TestWithParam<std::string> {};

TEST_P(RefinerParity, EveryStepBeforeAndAfterTheHandOverIsThatOfDiffusers) {
  const auto latents = latents_of(refiner_case(GetParam()));
  const SafetensorsFile expected(parity_folder() / (GetParam() + ".safetensors"));
  ASSERT_EQ(latents.size(), expected.names().size());
  for (std::size_t i = 0; i < latents.size(); ++i)
    EXPECT_LT(relative_error(latents[i], expected.tensor("latents." + std::to_string(i))), kNetworkTolerance)
        << "after step " << i;
}

INSTANTIATE_TEST_SUITE_P(, RefinerParity,
                         ::testing::Values("euler_late", "euler_early", "euler_at_a_timestep", "ddim_late",
                                           "ddim_unguided", "ddim_img2img"),
                         [](const auto& info) { return info.param; });

/// How far the final latents move when the request changes.
double moved_by(const std::string& name, const std::function<void(Request&)>& change) {
  auto test = refiner_case(name);
  const SafetensorsFile expected(parity_folder() / (name + ".safetensors"));
  change(test.request);
  return relative_error(latents_of(test).back(),
                        expected.tensor("latents." + std::to_string(expected.names().size() - 1)));
}

TEST(RefinerParityCanFail, AHandOverOneStepEarlierOrLaterShows) {
  const double least = 10 * kNetworkTolerance;
  // Of 8 steps, a step is an eighth of the timesteps; of that on the cutoff the next number of timesteps decides.
  for (const auto by : {-0.125, 0.1}) {
    const auto move = [by](Request& request) { request.refiner.switch_at += by; };
    EXPECT_GT(moved_by("euler_late", move), least);
    EXPECT_GT(moved_by("ddim_late", move), least);
  }
  EXPECT_GT(moved_by("euler_at_a_timestep", [](Request& request) { request.refiner.switch_at = 0.598; }), least);
}

/// AUTOMATIC1111's web UI by default.
TEST(Refiner, IsKeptForTheSecondPassWhereThereIsOne) {
  auto test = refiner_case("euler_late");
  test.request.hires = {.scale = 1.5, .steps = 3, .strength = 0.6};
  const auto refined = latents_of(test);
  test.request.refiner.switch_at = 0.9999;  // no timestep is left
  const auto alone = latents_of(test);
  const auto first = static_cast<std::size_t>(test.request.steps);
  ASSERT_EQ(refined.size(), first + 3);
  for (std::size_t i = 0; i < first; ++i) EXPECT_TRUE(torch::equal(refined[i], alone[i])) << "after step " << i;
  EXPECT_GT(relative_error(refined.back(), alone.back()), 10 * kNetworkTolerance);
}

TEST(Refiner, SharesWhatItHasInCommonWithTheBase) {
  const auto test = refiner_case("euler_late");
  const auto [model, attachments] = load_both(test);
  EXPECT_EQ(attachments.refiner->vae, model.vae);
  EXPECT_NE(attachments.refiner->text_encoders.back().module, model.text_encoders.back().module) << "of other weights";
  const auto same = load_refiner(parity_folder() / test.model, model);
  EXPECT_EQ(same->text_encoders.back().module, model.text_encoders.back().module);
  EXPECT_NE(same->unet, model.unet);
}

TEST(Refiner, ARequestWithOneNeedsOneLoaded) {
  const auto test = refiner_case("euler_late");
  EXPECT_THROW(text_to_image(load_both(test).model, test.request), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
