#include <gtest/gtest.h>

#include "parity/pipeline_case.h"

namespace sfumato {
namespace {

/// Makes `request` with its model's ControlNets, which are those of `loaded`.
Generated make_controlled(const std::string& model_name, const Request& loaded, const Request& request,
                          const OnStep& on_step = {}) {
  const auto model = load_model(model_name);
  return make_images(model, request, on_step, {.controlnets = load_controlnets(loaded.controls, model)});
}

class ControlledPipeline : public ::testing::TestWithParam<std::string> {};

TEST_P(ControlledPipeline, EveryStepIsThatOfDiffusers) {
  const auto test = find_case(GetParam());
  StepErrors errors(test);
  make_controlled(test.model, test.request, test.request, errors.on_step());
  EXPECT_LT(errors.worst(), kNetworkTolerance) << errors;
}

INSTANTIATE_TEST_SUITE_P(, ControlledPipeline,
                         ::testing::Values("one", "two", "part", "guess", "guess_two", "guess_unguided", "odd_size",
                                           "pooled", "img2img", "heun", "dpm2_img2img", "xl_one", "xl_two", "xl_guess",
                                           "xl_img2img"),
                         [](const auto& info) { return info.param; });

/// That the comparison can fail: how far the final latents move when one thing of the request changes.
double moved(const std::string& name, const std::function<void(Request&)>& change) {
  const auto test = find_case(name);
  auto request = test.request;
  change(request);
  return relative_error(make_controlled(test.model, request, request).latents, test.last());
}

TEST(ControlledPipelineCanFail, WithoutTheResiduals) {
  for (const auto* name : {"one", "xl_one", "img2img", "guess", "pooled"})
    EXPECT_GT(moved(name, [](Request& request) { request.controls.clear(); }), 100 * kNetworkTolerance) << name;
}

TEST(ControlledPipelineCanFail, WithAnotherScaleOrImage) {
  EXPECT_GT(moved("one", [](Request& request) { request.controls[0].scale += 0.02; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("xl_two", [](Request& request) { request.controls[1].scale += 0.02; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("one", [](Request& request) { request.controls[0].image = parity_folder() / "spots.png"; }),
            100 * kNetworkTolerance);
}

TEST(ControlledPipelineCanFail, AStepEarlierOrLater) {
  EXPECT_GT(moved("part", [](Request& request) { request.controls[0].start = 0; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("part", [](Request& request) { request.controls[0].end = 0.8; }), 10 * kNetworkTolerance);
}

TEST(ControlledPipelineCanFail, AnEvaluationEarlierOrLater) {
  // Evaluations 2 to 4 of 9 take part: the second half of the third step does not.
  EXPECT_GT(moved("heun", [](Request& request) { request.controls[0].start = 0.1; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("heun", [](Request& request) { request.controls[0].end = 0.5; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("heun", [](Request& request) { request.controls[0].end = 0.67; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("dpm2_img2img", [](Request& request) { request.controls[0].end = 0.45; }), 10 * kNetworkTolerance);
}

TEST(ControlledPipelineCanFail, WithoutGuessing) {
  for (const auto* name : {"guess", "guess_unguided", "xl_guess"})
    EXPECT_GT(moved(name, [](Request& request) { request.control_guess = false; }), 10 * kNetworkTolerance) << name;
}

/// What loading `request` for a model throws.
std::string refusal(const std::string& model, const Request& request) {
  try {
    load_controlnets(request.controls, load_model(model));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ControlNetRefusal, OfAnotherStableDiffusion) {
  const auto why = refusal("xl", find_case("one").request);
  EXPECT_NE(why.find("plain': its cross_attention_dim is 32, expected the model's 64"), std::string::npos) << why;
}

TEST(ControlNetRefusal, OfAFileThatIsNone) {
  auto request = find_case("one").request;
  request.controls[0].model = parity_folder() / "one.safetensors";
  const auto why = refusal("clip", request);
  EXPECT_NE(why.find("one.safetensors"), std::string::npos) << why;
  EXPECT_NE(why.find("expected a ControlNet"), std::string::npos) << why;
}

TEST(ControlNetFolder, ItsFileAloneFindsTheConfigBesideIt) {
  EXPECT_LT(moved("one", [](Request& request) { request.controls[0].model += "/diffusion_pytorch_model.safetensors"; }),
            kNetworkTolerance);
}

TEST(Controls, OneForEachControlNetThatIsLoaded) {
  const auto test = find_case("two");
  auto request = test.request;
  request.controls.pop_back();
  EXPECT_THROW(make_controlled(test.model, test.request, request), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
