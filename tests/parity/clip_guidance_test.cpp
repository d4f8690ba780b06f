#include <gtest/gtest.h>

#include "parity/pipeline_case.h"
#include "systems/clip.h"

namespace sfumato {
namespace {

double worst_clip_error(const PipelineCase& test, const Request& request) {
  StepErrors errors(test);
  const Attachments attachments{.clip = load_clip(parity_folder() / request.clip_guidance.model, torch::kCPU)};
  text_to_image(load_model(test.model), request, errors.on_step(), attachments);
  return errors.worst();
}

class ClipGuidanceParity : public ::testing::TestWithParam<std::string> {};

TEST_P(ClipGuidanceParity, EveryStepIsThatOfTheReference) {
  const auto test = find_case(GetParam());
  const double worst = worst_clip_error(test, test.request);
  EXPECT_LT(worst, kNetworkTolerance);
  std::printf("%s: worst step %.2g\n", GetParam().c_str(), worst);
}

TEST_P(ClipGuidanceParity, AnotherScaleFails) {
  const auto test = find_case(GetParam());
  auto request = test.request;
  request.clip_guidance.scale *= 1.1;
  EXPECT_GT(worst_clip_error(test, request), 10 * kNetworkTolerance);
}

TEST_P(ClipGuidanceParity, WithoutItTheImageIsAnother) {
  const auto test = find_case(GetParam());
  auto request = test.request;
  request.clip_guidance = {};
  StepErrors errors(test);
  text_to_image(load_model(test.model), request, errors.on_step());
  EXPECT_GT(errors.worst(), 100 * kNetworkTolerance);
}

INSTANTIATE_TEST_SUITE_P(, ClipGuidanceParity, ::testing::Values("images", "wide", "noised"),
                         [](const auto& info) { return info.param; });

// The reference rounds to 8 bits after each pass: a level and a half of 255, over the least image_std.
TEST(ClipImages, ArePreparedAsTransformersPrepares) {
  const SafetensorsFile file(parity_folder() / "processed.safetensors");
  const auto clip = load_clip(parity_folder() / "images", torch::kCPU);
  const auto image = file.tensor("picture").to(torch::kFloat32).unsqueeze(0) / 127.5 - 1;
  const auto values = file.tensor("values");
  const double tolerance = 1.5 / 255 / 0.26;
  EXPECT_LT((clip->prepare(image) - values).abs().max().item<double>(), tolerance);
  EXPECT_GT((clip->prepare(image.flip(3)) - values).abs().max().item<double>(), 10 * tolerance);
}

}  // namespace
}  // namespace sfumato
