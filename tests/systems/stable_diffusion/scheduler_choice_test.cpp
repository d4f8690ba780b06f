#include <gtest/gtest.h>

#include <cmath>

#include "small_unet.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {
namespace {

StableDiffusion model_of(const Json& scheduler, bool is_xl = false) {
  auto config = small_unet_config();
  if (is_xl) {
    config.addition_embed_type = "text_time";
    config.addition_time_embed_dim = 8;
    config.projection_class_embeddings_input_dim = 64;
  }
  return {.text_encoders = {},
          .unet = std::make_shared<UNet2DConditionModelImpl>(config),
          .vae = nullptr,
          .schedule = Schedule(ScheduleConfig::from_json(scheduler))};
}

/// Returns sigma / alpha at the start of the second of ten steps.
double second_level(const StableDiffusion& model, const std::string& schedule) {
  Request request;
  request.schedule = schedule;
  return make_steps(schedule_of(model, request), 10, StepGrid::interpolated)[1].from.ratio();
}

// Second values of AysSchedules["StableDiffusionSigmas"] and ["StableDiffusionXLSigmas"].
TEST(ScheduleOfARequest, AlignsItsStepsForTheModelsFamily) {
  const Json euler = {{"_class_name", "EulerDiscreteScheduler"}};
  EXPECT_NEAR(second_level(model_of(euler), "align_your_steps"), 6.475, 1e-9);
  EXPECT_NEAR(second_level(model_of(euler, true), "align_your_steps"), 6.315, 1e-9);
  EXPECT_NEAR(second_level(model_of(euler), "align_your_steps_xl"), 6.315, 1e-9);
}

// Samplers that do not use sigma have the request's "discrete".
TEST(ScheduleOfARequest, KeepsTheLevelsOfAContinuousProcess) {
  const Json edm = {{"_class_name", "EDMEulerScheduler"}, {"sigma_schedule", "exponential"}};
  const double factor = std::pow(0.002 / 80, 1.0 / 9);
  EXPECT_NEAR(second_level(model_of(edm), "discrete"), 80 * factor, 1e-9);
  EXPECT_NEAR(second_level(model_of(edm), "exponential"), 80 * factor, 1e-9);
  EXPECT_GT(second_level(model_of(edm), "karras"), 80 * factor + 1);
}

TEST(DefaultSampler, IsTheOneThatIntegratesAsTheClassDoes) {
  const auto sampler = [](Json keys, const std::string& name) {
    keys["_class_name"] = name;
    return model_of(keys).default_sampler();
  };
  EXPECT_EQ(sampler(Json::object(), "EDMEulerScheduler"), "euler");
  EXPECT_EQ(sampler(Json::object(), "EDMDPMSolverMultistepScheduler"), "dpm++2m");
  EXPECT_EQ(sampler({{"algorithm_type", "sde-dpmsolver++"}}, "EDMDPMSolverMultistepScheduler"), "dpm++2m_sde");
  EXPECT_EQ(sampler(Json::object(), "SASolverScheduler"), "sa_solver");
  EXPECT_EQ(sampler(Json::object(), "IPNDMScheduler"), "ipndm");
  EXPECT_EQ(sampler({{"stochastic_sampling", true}}, "FlowMatchEulerDiscreteScheduler"), "lcm");
}

TEST(DefaultSampler, IsOfTheOrderThatTheSchedulerHas) {
  const auto sampler = [](const Json& order, const std::string& algorithm) {
    return model_of(
               {{"_class_name", "DPMSolverMultistepScheduler"}, {"solver_order", order}, {"algorithm_type", algorithm}})
        .default_sampler();
  };
  EXPECT_EQ(sampler(2, "dpmsolver++"), "dpm++2m");
  EXPECT_EQ(sampler(3, "dpmsolver++"), "dpm++3m");
  EXPECT_EQ(sampler(3, "sde-dpmsolver++"), "dpm++2m_sde");
}

}  // namespace
}  // namespace sfumato
