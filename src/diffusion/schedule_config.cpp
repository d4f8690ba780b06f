#include "diffusion/schedule_config.h"

#include <algorithm>
#include <stdexcept>

#include "diffusion/scheduler_classes.h"
#include "diffusion/scheduler_settings.h"
#include "diffusion/sigma_schedules.h"

namespace sfumato {
namespace {

void require(bool holds, const std::string& key, const std::string& value, const std::string& expected) {
  if (!holds) throw std::invalid_argument("scheduler config: '" + key + "' is " + value + ", expected " + expected);
}

void require_one_of(const std::string& key, const std::string& value, const std::vector<std::string>& known) {
  std::string expected = "one of";
  for (const auto& name : known) expected += (name == known.front() ? " " : ", ") + name;
  require(std::find(known.begin(), known.end(), value) != known.end(), key, "'" + value + "'", expected);
}

/// Checks that the prediction type is defined for the process of the class.
void validate_process(const ScheduleConfig& config) {
  const auto require_prediction = [&](const std::vector<std::string>& known) {
    require_one_of("prediction_type", config.prediction_type, known);
  };
  if (config.process == "edm") require_prediction({"epsilon", "v_prediction"});
  if (config.process == "ipndm") require_prediction({"v_prediction"});
  if (config.process == "flow") require_prediction({"flow_prediction"});
  require(config.sigma_data > 0, "sigma_data", std::to_string(config.sigma_data), "a positive number");
  require(config.rho > 0, "rho", std::to_string(config.rho), "a positive number");
}

void validate_flow(const ScheduleConfig& config) {
  const auto& flow = config.flow;
  const double sigma_max = config.sigma_max.value_or(1);
  require(config.process != "flow" || sigma_max <= 1, "sigma_max", std::to_string(sigma_max), "at most 1");
  require(flow.shift > 0, "shift", std::to_string(flow.shift), "a positive number");
  require_one_of("time_shift_type", flow.time_shift_type, {"exponential", "linear"});
  const double terminal = flow.shift_terminal.value_or(0);
  require(terminal >= 0 && terminal < 1, "shift_terminal", std::to_string(terminal), "0 to below 1");
  require(flow.max_image_seq_len > flow.base_image_seq_len, "max_image_seq_len", std::to_string(flow.max_image_seq_len),
          "more than base_image_seq_len, " + std::to_string(flow.base_image_seq_len));
  // The reference recovers x0 as if the timesteps were not inverted.
  require(!flow.stochastic_sampling || !flow.invert_sigmas, "stochastic_sampling", "true", "false with invert_sigmas");
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

/// Calls `visit` with each key and the member for it, except for the flags that sigma_schedule represents.
template <class Config, class Visit>
void for_each_member(Config& config, Visit visit) {
  visit("num_train_timesteps", config.num_train_timesteps);
  visit("beta_start", config.beta_start);
  visit("beta_end", config.beta_end);
  visit("beta_schedule", config.beta_schedule);
  visit("trained_betas", config.trained_betas);
  visit("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  visit("timestep_spacing", config.timestep_spacing);
  visit("steps_offset", config.steps_offset);
  visit("set_alpha_to_one", config.set_alpha_to_one);
  visit("final_sigmas_type", config.final_sigmas_type);
  visit("sigma_min", config.sigma_min);
  visit("sigma_max", config.sigma_max);
  visit("interpolation_type", config.interpolation_type);
  visit("sigma_data", config.sigma_data);
  visit("rho", config.rho);
  visit("timestep_type", config.timestep_type);
  visit("lambda_min_clipped", config.lambda_min_clipped);
  visit("skip_prk_steps", config.skip_prk_steps);
  visit("timestep_scaling", config.timestep_scaling);
  visit("original_inference_steps", config.original_inference_steps);
  visit("prediction_type", config.prediction_type);
  visit("clip_sample", config.clip_sample);
  visit("clip_sample_range", config.clip_sample_range);
  visit("thresholding", config.thresholding);
  visit("dynamic_thresholding_ratio", config.dynamic_thresholding_ratio);
  visit("sample_max_value", config.sample_max_value);
  visit("variance_type", config.variance_type);
  for_each_solver_member(config.solver, visit);
  for_each_flow_member(config.flow, visit);
}

bool is_read(const SchedulerClass& scheduler, const std::string& key) {
  static const std::vector<std::string> of_betas = {"beta_start", "beta_end", "beta_schedule", "trained_betas",
                                                    "prediction_type"};
  if (key == "num_train_timesteps" || reads_key(scheduler, key)) return true;
  return scheduler.defaults.process == "betas" && std::find(of_betas.begin(), of_betas.end(), key) != of_betas.end();
}

template <class Value>
void read_value(const Json& json, const std::string& key, Value& value) {
  value = value_or(json, key, value);
}

template <class Value>
void read_value(const Json& json, const std::string& key, std::optional<Value>& value) {
  if (json.contains(key) && !json.at(key).is_null()) value = value_or(json, key, Value{});
}

template <class Value>
Json written(const Value& value) {
  return value;
}

template <class Value>
Json written(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

ScheduleConfig ScheduleConfig::from_json(const Json& json) {
  const auto& scheduler = find_scheduler_class(value_or<std::string>(json, "_class_name", ScheduleConfig().class_name));
  require_supported_settings(scheduler, json);
  auto config = scheduler.defaults;
  config.class_name = scheduler.name;
  config.sigma_schedule = sigma_schedule_of(scheduler, json);
  for_each_member(config, [&](const char* key, auto& member) {
    if (is_read(scheduler, key)) read_value(json, key, member);
  });
  // Their own Karras levels are between the grid's ends, whatever these values.
  if (config.sigma_schedule == "karras" && (scheduler.sampler == "lms" || scheduler.sampler == "dpm++sde"))
    config.sigma_min = config.sigma_max = std::nullopt;
  config.validate();
  return config;
}

Json ScheduleConfig::to_json() const {
  const auto& scheduler = find_scheduler_class(class_name);
  Json json = {{"_class_name", class_name}};
  for_each_member(*this, [&](const char* key, const auto& member) {
    if (is_read(scheduler, key)) json[key] = written(member);
  });
  if (reads_key(scheduler, "sigma_schedule")) json["sigma_schedule"] = sigma_schedule;
  return json;
}

void ScheduleConfig::validate() const {
  require(num_train_timesteps >= 1, "num_train_timesteps", std::to_string(num_train_timesteps), "at least 1");
  require_one_of("beta_schedule", beta_schedule, {"linear", "scaled_linear", "squaredcos_cap_v2"});
  validate_betas(*this);
  validate_process(*this);
  validate_flow(*this);
  require_one_of("timestep_spacing", timestep_spacing, {"leading", "linspace", "trailing"});
  require(steps_offset >= 0 && steps_offset < num_train_timesteps, "steps_offset", std::to_string(steps_offset),
          "0 to num_train_timesteps - 1");
  find_sigma_schedule(sigma_schedule);
  require_one_of("final_sigmas_type", final_sigmas_type, {"zero", "sigma_min"});
  require(sigma_min.value_or(1) > 0, "sigma_min", std::to_string(sigma_min.value_or(1)), "a positive number");
  require(sigma_max.value_or(1) > 0, "sigma_max", std::to_string(sigma_max.value_or(1)), "a positive number");
  require_one_of("timestep_type", timestep_type, {"discrete", "continuous"});
  require_one_of("interpolation_type", interpolation_type, {"linear", "log_linear"});
  require(solver.solver_order >= 1, "solver_order", std::to_string(solver.solver_order), "at least 1");
  require(original_inference_steps >= 1, "original_inference_steps", std::to_string(original_inference_steps),
          "at least 1");
  require(gamma >= 0 && gamma <= 1, "gamma", std::to_string(gamma), "0 to 1");
  require_one_of("prediction_type", prediction_type, {"epsilon", "v_prediction", "sample", "flow_prediction"});
  require(clip_sample_range > 0, "clip_sample_range", std::to_string(clip_sample_range), "a positive number");
  require(dynamic_thresholding_ratio > 0 && dynamic_thresholding_ratio <= 1, "dynamic_thresholding_ratio",
          std::to_string(dynamic_thresholding_ratio), "in (0, 1]");
  require(sample_max_value >= 1, "sample_max_value", std::to_string(sample_max_value), "at least 1");
  // fixed_large_log is excluded: the reference takes the root of a negative logarithm there.
  require_one_of("variance_type", variance_type,
                 {"fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range"});
}

}  // namespace sfumato
