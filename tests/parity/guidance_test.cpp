#include <gtest/gtest.h>

#include "parity/pipeline_case.h"

namespace sfumato {
namespace {

double worst_step_error(const PipelineCase& test, const Request& request) {
  StepErrors errors(test);
  text_to_image(load_model(test.model), request, errors.on_step());
  return errors.worst();
}

class GuidanceParity : public ::testing::TestWithParam<std::string> {};

TEST_P(GuidanceParity, EveryStepIsThatOfTheReference) {
  const auto test = find_case(GetParam());
  const double worst = worst_step_error(test, test.request);
  // x0 = (x - sigma eps) / alpha has eps' rounding 14 times where it all begins, and the quantile hangs on one value.
  EXPECT_LT(worst, GetParam() == "threshold" ? 14 * kNetworkTolerance : kNetworkTolerance);
  std::printf("%s: worst step %.2g\n", GetParam().c_str(), worst);
}

INSTANTIATE_TEST_SUITE_P(, GuidanceParity,
                         ::testing::Values("pag", "pag_unguided", "pag_adaptive", "pag_layers", "pag_xl",
                                           "pag_xl_adaptive", "sag", "sag_unguided", "sag_of_v", "interval",
                                           "interval_from_the_start", "threshold", "cfg_plus_plus",
                                           "cfg_plus_plus_of_v"),
                         [](const auto& info) { return info.param; });

/// That the comparison can fail: how far off the request is with one small mistake.
double error_with(const std::string& name, const std::function<void(Request&)>& mistake) {
  const auto test = find_case(name);
  auto request = test.request;
  mistake(request);
  return worst_step_error(test, request);
}

constexpr double kSeen = 10 * kNetworkTolerance;

TEST(GuidanceParityCanFail, ByTheScaleOfPerturbedAttention) {
  EXPECT_GT(error_with("pag", [](Request& request) { request.pag_scale *= 1.1; }), kSeen);
  EXPECT_GT(error_with("pag_unguided", [](Request& request) { request.pag_scale = 0; }), kSeen);
  // The scale of the timestep after.
  EXPECT_GT(error_with("pag_adaptive", [](Request& request) { request.pag_scale -= 0.005; }), kNetworkTolerance);
}

TEST(GuidanceParityCanFail, ByItsLayers) {
  EXPECT_GT(error_with("pag_layers", [](Request& request) { request.pag_layers = "down_blocks.(0|1)"; }), kSeen);
  EXPECT_GT(error_with("pag_xl_adaptive", [](Request& request) { request.pag_layers = "mid"; }), kSeen);
}

TEST(GuidanceParityCanFail, ByTheScaleOfSelfAttentionGuidance) {
  for (const auto* name : {"sag", "sag_unguided", "sag_of_v"}) {
    EXPECT_GT(error_with(name, [](Request& request) { request.sag_scale = 0; }), kSeen) << name;
    EXPECT_GT(error_with(name, [](Request& request) { request.sag_scale *= 1.1; }), kNetworkTolerance) << name;
  }
}

TEST(GuidanceParityCanFail, ByAStepMoreOrLess) {
  for (const double part : {0.1, 0.34})
    EXPECT_GT(error_with("interval", [&](Request& request) { request.guidance_start = part; }), kSeen);
  for (const double part : {0.6, 0.8})
    EXPECT_GT(error_with("interval", [&](Request& request) { request.guidance_end = part; }), kSeen);
}

TEST(GuidanceParityCanFail, ByTheThreshold) {
  EXPECT_GT(error_with("threshold", [](Request& request) { request.dynamic_threshold = 0.95; }), kSeen);
  EXPECT_GT(error_with("threshold", [](Request& request) { request.dynamic_threshold_max = 1; }), kSeen);
}

TEST(GuidanceParityCanFail, ByTheNoiseThatIsAddedAgain) {
  // At scale 1 x0 is the prompt's alone, so that only the noise tells CFG++ from none.
  EXPECT_GT(error_with("cfg_plus_plus_of_v", [](Request& request) { request.guidance = "cfg"; }), kSeen);
  EXPECT_GT(error_with("cfg_plus_plus", [](Request& request) { request.guidance_scale = 0.65; }), kSeen);
}

TEST(Guidance, LayersThatThereAreNotAreRefused) {
  auto test = find_case("pag");
  for (const auto* layers : {"mid,nowhere", "attn2", "(", "down_blocks.2"}) {
    test.request.pag_layers = layers;
    EXPECT_THROW(worst_step_error(test, test.request), std::invalid_argument) << layers;
  }
}

}  // namespace
}  // namespace sfumato
