#include "diffusion/schedule_config.h"

#include <gtest/gtest.h>

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
      {"_class_name", "FlowMatchEulerDiscreteScheduler"},
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
    const auto message = refusal({{key, value}});
    EXPECT_NE(message.find(key), std::string::npos) << key << ": " << message;
    if (value.is_string()) {
      EXPECT_NE(message.find(value.get<std::string>()), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace sfumato
