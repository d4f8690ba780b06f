#include <gtest/gtest.h>

#include "checkpoints/safetensors.h"
#include "images/read.h"
#include "parity/compare.h"
#include "pipelines/generate.h"

namespace sfumato {
namespace {

struct Controlled {
  std::string model;
  Request request;
};

/// A case of cases.json; its name and model are no part of a request.
Controlled find_controlled(const std::string& name) {
  for (auto json : read_json(parity_folder() / "cases.json")) {
    if (json.at("name") != name) continue;
    const auto model = json.at("model").get<std::string>();
    json.erase("name");
    json.erase("model");
    auto request = request_from_json(json);
    for (auto& unit : request.controls) {
      unit.model = parity_folder() / unit.model;
      unit.image = parity_folder() / unit.image;
    }
    return {model, request};
  }
  throw std::runtime_error("no case " + name);
}

StableDiffusion load_controlled(const Controlled& test) {
  at::set_num_threads(1);  // networks this small only wait for each other on more
  auto model = load_stable_diffusion(parity_folder() / test.model, {});
  model.controlnets = load_controlnets(test.request.controls, model);
  return model;
}

Generated make(const StableDiffusion& model, const Request& request, const OnStep& on_step = {}) {
  if (request.image.empty()) return text_to_image(model, request, on_step);
  return image_to_image(model, request, read_image(parity_folder() / request.image), on_step);
}

class ControlledPipeline : public ::testing::TestWithParam<std::string> {};

TEST_P(ControlledPipeline, EveryStepIsThatOfDiffusers) {
  const auto test = find_controlled(GetParam());
  const SafetensorsFile expected(parity_folder() / (GetParam() + ".safetensors"));
  std::size_t steps = 0;
  make(load_controlled(test), test.request, [&](int step, int, const torch::Tensor& x) {
    EXPECT_LT(relative_error(x, expected.tensor("latents." + std::to_string(step))), kNetworkTolerance)
        << "after step " << step;
    return ++steps, true;
  });
  EXPECT_EQ(expected.names().size(), steps);
}

INSTANTIATE_TEST_SUITE_P(, ControlledPipeline,
                         ::testing::Values("one", "two", "part", "guess", "guess_two", "guess_unguided", "odd_size",
                                           "pooled", "img2img", "xl_one", "xl_two", "xl_guess", "xl_img2img"),
                         [](const auto& info) { return info.param; });

/// That the comparison can fail: how far the final latents move when one thing of the request changes.
double moved(const std::string& name, const std::function<void(Request&)>& change) {
  auto test = find_controlled(name);
  const SafetensorsFile expected(parity_folder() / (name + ".safetensors"));
  const auto last = "latents." + std::to_string(expected.names().size() - 1);
  change(test.request);
  return relative_error(make(load_controlled(test), test.request).latents, expected.tensor(last));
}

TEST(ControlledPipelineCanFail, WithoutTheResiduals) {
  for (const auto* name : {"one", "xl_one", "img2img", "guess", "pooled"})
    EXPECT_GT(moved(name, [](Request& request) { request.controls.clear(); }), 100 * kNetworkTolerance) << name;
}

TEST(ControlledPipelineCanFail, WithAnotherScaleOrPicture) {
  EXPECT_GT(moved("one", [](Request& request) { request.controls[0].scale += 0.02; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("xl_two", [](Request& request) { request.controls[1].scale += 0.02; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("one", [](Request& request) { request.controls[0].image = parity_folder() / "spots.png"; }),
            100 * kNetworkTolerance);
}

TEST(ControlledPipelineCanFail, AStepEarlierOrLater) {
  EXPECT_GT(moved("part", [](Request& request) { request.controls[0].start = 0; }), 10 * kNetworkTolerance);
  EXPECT_GT(moved("part", [](Request& request) { request.controls[0].end = 0.8; }), 10 * kNetworkTolerance);
}

TEST(ControlledPipelineCanFail, WithoutGuessing) {
  for (const auto* name : {"guess", "guess_unguided", "xl_guess"})
    EXPECT_GT(moved(name, [](Request& request) { request.control_guess = false; }), 10 * kNetworkTolerance) << name;
}

/// What loading throws for the case "one" after `change`.
std::string refusal(const std::function<void(Controlled&)>& change) {
  auto test = find_controlled("one");
  change(test);
  try {
    load_controlled(test);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ControlNetRefusal, OfAnotherStableDiffusion) {
  const auto why = refusal([](Controlled& test) { test.model = "xl"; });
  EXPECT_NE(why.find("plain': its cross_attention_dim is 32, expected the model's 64"), std::string::npos) << why;
}

TEST(ControlNetRefusal, OfAFileThatIsNone) {
  const auto why =
      refusal([](Controlled& test) { test.request.controls[0].model = parity_folder() / "one.safetensors"; });
  EXPECT_NE(why.find("one.safetensors"), std::string::npos) << why;
  EXPECT_NE(why.find("expected a ControlNet"), std::string::npos) << why;
}

TEST(ControlNetFolder, ItsFileAloneFindsTheConfigBesideIt) {
  EXPECT_LT(moved("one", [](Request& request) { request.controls[0].model += "/diffusion_pytorch_model.safetensors"; }),
            kNetworkTolerance);
}

TEST(Controls, OneForEachControlNetThatIsLoaded) {
  auto test = find_controlled("two");
  const auto model = load_controlled(test);
  test.request.controls.pop_back();
  EXPECT_THROW(make(model, test.request), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
