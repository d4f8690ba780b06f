#include "diffusion/schedule_config.h"

#include <gtest/gtest.h>

#include <tuple>

namespace sfumato {
namespace {

std::string refusal(const Json& json) {
  try {
    ScheduleConfig::from_json(json);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(ScheduleConfig, HasTheDefaultsOfTheClassNamed) {
  EXPECT_TRUE(ScheduleConfig::from_json({{"_class_name", "DDPMScheduler"}}).clip_sample);
  EXPECT_EQ(ScheduleConfig::from_json({{"_class_name", "DDIMScheduler"}}).timestep_spacing, "leading");
  const auto pndm = ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"}});
  EXPECT_FALSE(pndm.clip_sample);
  EXPECT_FALSE(pndm.set_alpha_to_one);
  EXPECT_EQ(ScheduleConfig::from_json({{"_class_name", "EulerDiscreteScheduler"}}).timestep_spacing, "linspace");
  EXPECT_EQ(ScheduleConfig::from_json({{"_class_name", "HeunDiscreteScheduler"}}).beta_end, 0.012);
}

TEST(ScheduleConfig, SurvivesWritingAndReading) {
  ScheduleConfig config;
  config.class_name = "DDPMScheduler";
  config.beta_schedule = "squaredcos_cap_v2";
  config.prediction_type = "v_prediction";
  config.rescale_betas_zero_snr = true;
  config.variance_type = "learned_range";
  config.steps_offset = 1;
  const auto again = ScheduleConfig::from_json(config.to_json());
  EXPECT_EQ(again.to_json(), config.to_json());
  EXPECT_EQ(again.prediction_type, "v_prediction");
  EXPECT_TRUE(again.rescale_betas_zero_snr);
}

TEST(ScheduleConfig, IgnoresKeysItDoesNotKnow) {
  EXPECT_EQ(refusal({{"_class_name", "DDIMScheduler"}, {"skip_prk_steps", true}, {"trained_betas", nullptr}}), "");
}

TEST(ScheduleConfig, RefusesUnsupportedValuesByKeyAndValue) {
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"_class_name", "FlowMatchHeunDiscreteScheduler"},
      {"beta_schedule", "sigmoid"},
      {"timestep_spacing", "uniform"},
      {"prediction_type", "score"},
      {"variance_type", "fixed_large_log"},
      {"num_train_timesteps", 0},
      {"steps_offset", -1},
      {"beta_start", 1.5},
      {"beta_end", "much"},
      {"trained_betas", Json::array({0.1, 0.2})},
  };
  for (const auto& [key, value] : wrong) {
    Json json = {{"_class_name", "DDPMScheduler"}};
    json[key] = value;
    const auto message = refusal(json);
    EXPECT_NE(message.find(key), std::string::npos) << key << ": " << message;
    if (value.is_string()) {
      EXPECT_NE(message.find(value.get<std::string>()), std::string::npos) << message;
    }
  }
}

TEST(ScheduleConfig, SaysWhichScheduleItsFlagsMean) {
  const auto schedule = [](const std::string& name, const std::string& flag) {
    return ScheduleConfig::from_json({{"_class_name", name}, {flag, true}}).sigma_schedule;
  };
  EXPECT_EQ(schedule("EulerDiscreteScheduler", "use_karras_sigmas"), "karras");
  EXPECT_EQ(schedule("LMSDiscreteScheduler", "use_exponential_sigmas"), "exponential");
  EXPECT_EQ(schedule("DEISMultistepScheduler", "use_beta_sigmas"), "beta");
  EXPECT_EQ(schedule("DPMSolverMultistepScheduler", "use_lu_lambdas"), "lu");
  EXPECT_EQ(ScheduleConfig().sigma_schedule, "discrete");
  // A key of another class, which this class does not read.
  EXPECT_EQ(schedule("EulerAncestralDiscreteScheduler", "use_karras_sigmas"), "discrete");
}

TEST(ScheduleConfig, TakesOneFlagAtATime) {
  const auto message =
      refusal({{"_class_name", "EulerDiscreteScheduler"}, {"use_karras_sigmas", true}, {"use_beta_sigmas", true}});
  EXPECT_NE(message.find("use_beta_sigmas"), std::string::npos) << message;
}

TEST(ScheduleConfig, RefusesSettingsOfASolverThatOursHasNot) {
  const std::vector<std::tuple<std::string, std::string, Json>> wrong = {
      {"DPMSolverSinglestepScheduler", "solver_order", 4},
      {"DPMSolverSinglestepScheduler", "algorithm_type", "sde-dpmsolver"},
      {"DPMSolverMultistepScheduler", "algorithm_type", "sde-dpmsolver"},  // not down to sigma = 0
      {"DPMSolverMultistepScheduler", "algorithm_type", "dpmsolver"},      // not down to sigma = 0
      {"DPMSolverMultistepScheduler", "solver_type", "trapezoid"},
      {"DPMSolverMultistepScheduler", "use_flow_sigmas", true},
      {"DPMSolverSDEScheduler", "noise_sampler_seed", 7},
      {"DPMSolverMultistepScheduler", "prediction_type", "flow_prediction"},
      {"UniPCMultistepScheduler", "solver_type", "bh3"},
      {"UniPCMultistepScheduler", "predict_x0", false},  // likewise
      {"UniPCMultistepScheduler", "disable_corrector", "all"},
      {"DEISMultistepScheduler", "solver_order", 0},
      {"EulerDiscreteScheduler", "interpolation_type", "cubic"},
      {"EulerDiscreteScheduler", "sigma_max", -80.0},
      {"EulerDiscreteScheduler", "final_sigmas_type", "one"},
      {"LCMScheduler", "timestep_scaling", "large"},
      {"PNDMScheduler", "skip_prk_steps", 1},
      {"EDMEulerScheduler", "sigma_schedule", "linear"},
      {"EDMEulerScheduler", "sigma_data", 0.0},
      {"EDMEulerScheduler", "rho", -7.0},
      {"EDMDPMSolverMultistepScheduler", "prediction_type", "sample"},
      {"EDMDPMSolverMultistepScheduler", "algorithm_type", "dpmsolver"},
      {"SASolverScheduler", "tau_func", "constant"},
      {"SASolverScheduler", "predictor_order", 5},
      {"SASolverScheduler", "corrector_order", 0},
      {"SASolverScheduler", "algorithm_type", "dpmsolver++"},
      {"IPNDMScheduler", "trained_betas", Json(std::vector<double>(1000, 0.01))},
      {"FlowMatchEulerDiscreteScheduler", "shift", 0.0},
      {"FlowMatchEulerDiscreteScheduler", "time_shift_type", "cubic"},
      {"FlowMatchEulerDiscreteScheduler", "shift_terminal", 1.0},
      {"FlowMatchEulerDiscreteScheduler", "max_image_seq_len", 256},
  };
  for (const auto& [name, key, value] : wrong) {
    const auto message = refusal({{"_class_name", name}, {key, value}});
    EXPECT_NE(message.find("'" + key + "' is "), std::string::npos) << name << " " << key << ": " << message;
    // Another class does not read it.
    EXPECT_EQ(refusal({{"_class_name", "DDIMScheduler"}, {key, value}}), "") << key;
  }
}

TEST(ScheduleConfig, IgnoresKeysOfOtherClasses) {
  const auto euler = ScheduleConfig::from_json({{"_class_name", "EulerDiscreteScheduler"},
                                                {"clip_sample", true},
                                                {"thresholding", true},
                                                {"set_alpha_to_one", false}});
  EXPECT_FALSE(euler.clip_sample);
  EXPECT_FALSE(euler.thresholding);
  EXPECT_TRUE(euler.set_alpha_to_one);
  EXPECT_FALSE(ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"}, {"rescale_betas_zero_snr", true}})
                   .rescale_betas_zero_snr);
}

TEST(ScheduleConfig, SaysWhatASolverIsToldAndWritesItAgain) {
  const Json dpm = {{"_class_name", "DPMSolverMultistepScheduler"},
                    {"solver_order", 3},
                    {"solver_type", "heun"},
                    {"algorithm_type", "dpmsolver"},
                    {"final_sigmas_type", "sigma_min"},
                    {"lower_order_final", false},
                    {"euler_at_final", true}};
  const Json unipc = {{"_class_name", "UniPCMultistepScheduler"},
                      {"solver_order", 1},
                      {"solver_type", "bh1"},
                      {"predict_x0", false},
                      {"final_sigmas_type", "sigma_min"},
                      {"disable_corrector", {0, 3}}};
  const Json deis = {{"_class_name", "DEISMultistepScheduler"}, {"solver_order", 3}, {"lower_order_final", false}};
  const Json pndm = {{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", true}};
  const Json lcm = {{"_class_name", "LCMScheduler"}, {"timestep_scaling", 5.0}};
  const Json euler = {{"_class_name", "EulerDiscreteScheduler"},
                      {"sigma_min", 0.1},
                      {"sigma_max", 9.0},
                      {"interpolation_type", "log_linear"}};
  const Json sa_solver = {{"_class_name", "SASolverScheduler"},
                          {"predictor_order", 3},
                          {"corrector_order", 4},
                          {"algorithm_type", "noise_prediction"}};
  const Json edm = {{"_class_name", "EDMDPMSolverMultistepScheduler"},
                    {"sigma_schedule", "exponential"},
                    {"sigma_data", 1.0},
                    {"sigma_max", 120.0},
                    {"rho", 5.0},
                    {"prediction_type", "v_prediction"},
                    {"solver_order", 3}};
  const Json flow = {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
                     {"shift", 3.0},
                     {"shift_terminal", 0.1},
                     {"time_shift_type", "linear"},
                     {"invert_sigmas", true}};
  for (const auto& json : {dpm, unipc, deis, pndm, lcm, euler, sa_solver, edm, flow}) {
    const auto written = ScheduleConfig::from_json(json).to_json();
    for (const auto& [key, value] : json.items()) EXPECT_EQ(written.value(key, Json()), value) << key;
  }
  EXPECT_EQ(ScheduleConfig::from_json(dpm).solver.solver_order, 3);
  EXPECT_EQ(ScheduleConfig::from_json(unipc).solver.disable_corrector, (std::vector<std::int64_t>{0, 3}));
}

TEST(ScheduleConfig, HasTheRungeKuttaStepsOfPndmWhereItsClassDoes) {
  EXPECT_FALSE(ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"}}).skip_prk_steps);
  EXPECT_TRUE(ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"}, {"skip_prk_steps", true}}).skip_prk_steps);
  EXPECT_TRUE(ScheduleConfig::from_json({{"_class_name", "DDIMScheduler"}}).skip_prk_steps);
}

// The scheduler_config.json of the published models, as in their folders.
TEST(ScheduleConfig, ReadsThoseOfThePublishedModels) {
  const Json stable_diffusion = {{"beta_schedule", "scaled_linear"},
                                 {"beta_start", 0.00085},
                                 {"beta_end", 0.012},
                                 {"num_train_timesteps", 1000},
                                 {"trained_betas", nullptr},
                                 {"steps_offset", 1},
                                 {"clip_sample", false},
                                 {"set_alpha_to_one", false},
                                 {"skip_prk_steps", true}};
  const std::vector<Json> adapters = {
      {{"_class_name", "PNDMScheduler"}},
      {{"_class_name", "DDIMScheduler"}, {"prediction_type", "v_prediction"}},
      {{"_class_name", "DPMSolverMultistepScheduler"},
       {"algorithm_type", "dpmsolver++"},
       {"solver_order", 2},
       {"solver_type", "midpoint"},
       {"lower_order_final", true},
       {"thresholding", false},
       {"variance_type", nullptr}},
      {{"_class_name", "EulerDiscreteScheduler"},
       {"interpolation_type", "linear"},
       {"use_karras_sigmas", false},
       {"timestep_type", "discrete"},
       {"sigma_min", nullptr},
       {"sigma_max", nullptr},
       {"sample_max_value", 1.0}},
      {{"_class_name", "EulerAncestralDiscreteScheduler"}, {"timestep_spacing", "trailing"}},
      {{"_class_name", "LCMScheduler"}, {"original_inference_steps", 50}, {"timestep_scaling", 10.0}},
      {{"_class_name", "EDMDPMSolverMultistepScheduler"},
       {"prediction_type", "epsilon"},
       {"sigma_data", 0.5},
       {"sigma_max", 80.0},
       {"sigma_min", 0.002},
       {"rho", 7.0},
       {"solver_order", 2}},
  };
  for (auto json : adapters) {
    json.update(stable_diffusion);
    EXPECT_EQ(refusal(json), "") << json.dump();
  }
}

}  // namespace
}  // namespace sfumato
