#include "diffusion/schedule_config.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "diffusion/scheduler_settings.h"
#include "diffusion/sigma_schedules.h"

namespace sfumato {
namespace {

/// Where the classes' defaults differ from DDIMScheduler's.
struct ClassDefaults {
  std::string timestep_spacing = "linspace";
  bool clip_sample = false;
  bool set_alpha_to_one = true;
  double beta_start = 0.0001;
  double beta_end = 0.02;
};

const std::map<std::string, ClassDefaults>& known_classes() {
  static const ClassDefaults solver;
  static const ClassDefaults karras{.beta_start = 0.00085, .beta_end = 0.012};
  static const ClassDefaults consistency{.timestep_spacing = "leading", .beta_start = 0.00085, .beta_end = 0.012};
  static const ClassDefaults pixels{.timestep_spacing = "leading", .clip_sample = true};
  static const std::map<std::string, ClassDefaults> classes = {
      {"DDIMScheduler", pixels},
      {"DDPMScheduler", pixels},
      {"PNDMScheduler", {.timestep_spacing = "leading", .set_alpha_to_one = false}},
      {"LCMScheduler", consistency},
      {"TCDScheduler", consistency},
      {"HeunDiscreteScheduler", karras},
      {"KDPM2DiscreteScheduler", karras},
      {"KDPM2AncestralDiscreteScheduler", karras},
      {"DPMSolverSDEScheduler", karras},
      {"LMSDiscreteScheduler", solver},
      {"EulerDiscreteScheduler", solver},
      {"EulerAncestralDiscreteScheduler", solver},
      {"DPMSolverMultistepScheduler", solver},
      {"DPMSolverSinglestepScheduler", solver},
      {"DEISMultistepScheduler", solver},
      {"UniPCMultistepScheduler", solver},
  };
  return classes;
}

void require(bool holds, const std::string& key, const std::string& value, const std::string& expected) {
  if (!holds) throw std::invalid_argument("scheduler config: '" + key + "' is " + value + ", expected " + expected);
}

void require_one_of(const std::string& key, const std::string& value, const std::vector<std::string>& known) {
  std::string expected = "one of";
  for (const auto& name : known) expected += (name == known.front() ? " " : ", ") + name;
  require(std::find(known.begin(), known.end(), value) != known.end(), key, "'" + value + "'", expected);
}

void apply_defaults_of_class(ScheduleConfig& config) {
  const auto found = known_classes().find(config.class_name);
  if (found == known_classes().end()) {
    throw std::invalid_argument("scheduler config: '_class_name' is '" + config.class_name +
                                "', which is not supported; DDIMScheduler, DDPMScheduler, PNDMScheduler, "
                                "EulerDiscreteScheduler and the DPM solvers are");
  }
  const auto& defaults = found->second;
  config.timestep_spacing = defaults.timestep_spacing;
  config.clip_sample = defaults.clip_sample;
  config.set_alpha_to_one = defaults.set_alpha_to_one;
  config.beta_start = defaults.beta_start;
  config.beta_end = defaults.beta_end;
}

void validate_betas(const ScheduleConfig& config) {
  const auto in_range = [](double beta) { return beta > 0 && beta < 1; };
  require(in_range(config.beta_start), "beta_start", std::to_string(config.beta_start), "between 0 and 1");
  require(in_range(config.beta_end), "beta_end", std::to_string(config.beta_end), "between 0 and 1");
  if (!config.trained_betas) return;
  require(static_cast<std::int64_t>(config.trained_betas->size()) == config.num_train_timesteps, "trained_betas",
          std::to_string(config.trained_betas->size()) + " values",
          "num_train_timesteps = " + std::to_string(config.num_train_timesteps));
  for (const auto beta : *config.trained_betas)
    require(beta > 0 && beta <= 1, "trained_betas", std::to_string(beta), "values in (0, 1]");
}

std::optional<double> number_or_null(const Json& json, const std::string& key) {
  if (!json.contains(key) || json.at(key).is_null()) return std::nullopt;
  return value_or(json, key, 0.0);
}

/// What the class says of its own way through the process.
void read_sampling(ScheduleConfig& config, const Json& json) {
  const auto read = [&](const char* key, auto& member) { member = value_or(json, key, member); };
  config.sigma_schedule = sigma_schedule_of(config.class_name, json);
  config.solver = SolverConfig::from_json(config.class_name, json);
  if (has_final_sigmas_type(config.class_name)) read("final_sigmas_type", config.final_sigmas_type);
  if (config.class_name == "EulerDiscreteScheduler") {
    config.sigma_min = number_or_null(json, "sigma_min");
    config.sigma_max = number_or_null(json, "sigma_max");
    read("interpolation_type", config.interpolation_type);
  }
  if (config.class_name == "PNDMScheduler") config.skip_prk_steps = value_or(json, "skip_prk_steps", false);
  if (config.class_name == "LCMScheduler") read("timestep_scaling", config.timestep_scaling);
}

/// The same, to be read again.
void write_sampling(const ScheduleConfig& config, Json& json) {
  const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  json.update(config.solver.to_json(config.class_name));
  if (has_final_sigmas_type(config.class_name)) json["final_sigmas_type"] = config.final_sigmas_type;
  if (config.class_name == "EulerDiscreteScheduler") {
    json["sigma_min"] = number(config.sigma_min);
    json["sigma_max"] = number(config.sigma_max);
    json["interpolation_type"] = config.interpolation_type;
  }
  if (config.class_name == "PNDMScheduler") json["skip_prk_steps"] = config.skip_prk_steps;
  if (config.class_name == "LCMScheduler") json["timestep_scaling"] = config.timestep_scaling;
}

}  // namespace

ScheduleConfig ScheduleConfig::from_json(const Json& json) {
  ScheduleConfig config;
  const auto read = [&](const char* key, auto& member) { member = value_or(json, key, member); };
  read("_class_name", config.class_name);
  apply_defaults_of_class(config);
  require_supported_settings(config.class_name, json);
  read("num_train_timesteps", config.num_train_timesteps);
  read("beta_start", config.beta_start);
  read("beta_end", config.beta_end);
  read("beta_schedule", config.beta_schedule);
  if (json.contains("trained_betas") && !json.at("trained_betas").is_null())
    config.trained_betas = value_or(json, "trained_betas", std::vector<double>{});
  read("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  read("timestep_spacing", config.timestep_spacing);
  read("steps_offset", config.steps_offset);
  read("set_alpha_to_one", config.set_alpha_to_one);
  read_sampling(config, json);
  read("original_inference_steps", config.original_inference_steps);
  read("prediction_type", config.prediction_type);
  read("clip_sample", config.clip_sample);
  read("clip_sample_range", config.clip_sample_range);
  read("thresholding", config.thresholding);
  read("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio);
  read("sample_max_value", config.sample_max_value);
  // The DPM solvers write null or "learned" variances that they do not use themselves.
  read("variance_type", config.variance_type);
  config.validate();
  return config;
}

Json ScheduleConfig::to_json() const {
  Json json = {{"_class_name", class_name},
               {"num_train_timesteps", num_train_timesteps},
               {"beta_start", beta_start},
               {"beta_end", beta_end},
               {"beta_schedule", beta_schedule},
               {"trained_betas", nullptr},
               {"rescale_betas_zero_snr", rescale_betas_zero_snr},
               {"timestep_spacing", timestep_spacing},
               {"steps_offset", steps_offset},
               {"set_alpha_to_one", set_alpha_to_one},
               {"prediction_type", prediction_type},
               {"clip_sample", clip_sample},
               {"clip_sample_range", clip_sample_range},
               {"thresholding", thresholding},
               {"dynamic_thresholding_ratio", dynamic_thresholding_ratio},
               {"sample_max_value", sample_max_value}};
  if (trained_betas) json["trained_betas"] = *trained_betas;
  // Both classes warn of keys that they do not expect.
  if (class_name == "DDPMScheduler") json.erase("set_alpha_to_one");
  if (class_name != "DDIMScheduler") json["variance_type"] = variance_type;
  write_sampling(*this, json);
  return json;
}

void ScheduleConfig::validate() const {
  require(num_train_timesteps >= 1, "num_train_timesteps", std::to_string(num_train_timesteps), "at least 1");
  require_one_of("beta_schedule", beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"});
  validate_betas(*this);
  require_one_of("timestep_spacing", timestep_spacing, {"leading", "linspace", "trailing"});
  require(steps_offset >= 0 && steps_offset < num_train_timesteps, "steps_offset", std::to_string(steps_offset),
          "0 to num_train_timesteps - 1");
  find_sigma_schedule(sigma_schedule);
  require_one_of("final_sigmas_type", final_sigmas_type, {"zero", "sigma_min"});
  require(sigma_min.value_or(1) > 0, "sigma_min", std::to_string(sigma_min.value_or(1)), "a positive number");
  require(sigma_max.value_or(1) > 0, "sigma_max", std::to_string(sigma_max.value_or(1)), "a positive number");
  require_one_of("interpolation_type", interpolation_type, {"linear", "log_linear"});
  require(original_inference_steps >= 1, "original_inference_steps", std::to_string(original_inference_steps),
          "at least 1");
  require_one_of("prediction_type", prediction_type, {"epsilon", "v_prediction", "sample", "flow_prediction"});
  require(clip_sample_range > 0, "clip_sample_range", std::to_string(clip_sample_range), "a positive number");
  require(dynamic_thresholding_ratio > 0 && dynamic_thresholding_ratio <= 1, "dynamic_thresholding_ratio",
          std::to_string(dynamic_thresholding_ratio), "in (0, 1]");
  require(sample_max_value >= 1, "sample_max_value", std::to_string(sample_max_value), "at least 1");
  // fixed_large_log is left out: the reference takes the root of a negative logarithm there.
  require_one_of("variance_type", variance_type,
                 {"fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range"});
}

}  // namespace sfumato
