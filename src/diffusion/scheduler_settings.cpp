#include "diffusion/scheduler_settings.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace sfumato {
namespace {

/// Supported values of a key besides null, for the classes that read it; for all classes if none is named.
struct SupportedSetting {
  std::string key;
  std::vector<Json> values;
  std::vector<std::string> classes = {};
};

constexpr const char* kMultistep = "DPMSolverMultistepScheduler";
constexpr const char* kSinglestep = "DPMSolverSinglestepScheduler";
constexpr const char* kUniPc = "UniPCMultistepScheduler";
constexpr const char* kDeis = "DEISMultistepScheduler";
constexpr const char* kSaSolver = "SASolverScheduler";
constexpr const char* kIpndm = "IPNDMScheduler";
constexpr const char* kEdmMultistep = "EDMDPMSolverMultistepScheduler";

bool is_among(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Lists the supported values. A solver replaces another class's solver_type by its own default, as in diffusers.
const std::vector<SupportedSetting>& supported_settings() {
  static const std::vector<SupportedSetting> settings = {
      {"solver_order", {1, 2, 3}, {kSinglestep}},
      {"use_flow_sigmas", {false}},
      {"use_dynamic_shifting", {false}, {kMultistep, kSinglestep, kDeis, kUniPc}},
      {"algorithm_type", {"dpmsolver++", "dpmsolver", "sde-dpmsolver", "sde-dpmsolver++", "deis"}, {kMultistep}},
      {"algorithm_type", {"dpmsolver++", "dpmsolver", "sde-dpmsolver++", "deis"}, {kSinglestep}},
      {"algorithm_type", {"deis", "dpmsolver", "dpmsolver++"}, {kDeis}},
      {"algorithm_type", {"dpmsolver++", "sde-dpmsolver++", "deis"}, {kEdmMultistep}},
      {"algorithm_type", {"data_prediction", "noise_prediction"}, {kSaSolver}},
      {"predictor_order", {1, 2, 3, 4}},
      {"corrector_order", {1, 2, 3, 4}},
      {"tau_func", {}},
      {"trained_betas", {}, {kIpndm}},  // as many steps as betas there, for any requested number
      {"sigma_schedule", {"karras", "exponential"}},
      {"solver_type", {"midpoint", "heun", "logrho", "bh1", "bh2"}},
      {"solver_p", {}},
      {"shift_terminal", {}, {kUniPc}},
      {"noise_sampler_seed", {}},
  };
  return settings;
}

[[noreturn]] void refuse_setting(const std::string& key, const Json& value, const std::string& expected) {
  const auto shown = value.is_array() ? "a list of " + std::to_string(value.size()) + " values" : value.dump();
  throw std::invalid_argument("scheduler config: '" + key + "' is " + shown + ", expected " + expected);
}

std::string alternatives(const std::vector<Json>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " or ") + value.dump();
  return text.empty() ? "null" : text;
}

/// Refuses a config that the reference refuses or whose latents are not finite there.
void refuse_eps_at_sigma_zero(const SchedulerClass& scheduler, const Json& json) {
  if (value_or<std::string>(json, "final_sigmas_type", "zero") == "sigma_min") return;
  const auto refuse = [&](const char* key, const Json& of_eps) {
    if (json.value(key, Json()) == of_eps) refuse_setting(key, of_eps, "another with final_sigmas_type zero");
  };
  if (is_among(scheduler.name, {kMultistep, kSinglestep})) refuse("algorithm_type", "dpmsolver");
  if (scheduler.name == kMultistep) refuse("algorithm_type", "sde-dpmsolver");
  if (scheduler.name == kUniPc) refuse("predict_x0", false);
}

/// Refuses combinations that the reference treats differently.
void refuse_combinations(const SchedulerClass& scheduler, const Json& json) {
  const auto prediction = value_or<std::string>(json, "prediction_type", "epsilon");
  // In diffusers it applies to the flow's levels, which are refused above.
  if (prediction == "flow_prediction" && reads_key(scheduler, "use_flow_sigmas"))
    refuse_setting("prediction_type", prediction, "epsilon, v_prediction or sample with " + scheduler.name);
  const auto clipped = json.value("lambda_min_clipped", Json());
  if (!clipped.is_null() && reads_key(scheduler, "lambda_min_clipped") && reads_key(scheduler, "timestep_spacing") &&
      value_or(json, "timestep_spacing", scheduler.defaults.timestep_spacing) == "trailing")
    refuse_setting("lambda_min_clipped", clipped, "null with trailing spacing");
  if (scheduler.name == kMultistep && json.value("algorithm_type", Json()) == "sde-dpmsolver" &&
      value_or<std::int64_t>(json, "solver_order", 2) > 2)
    refuse_setting("solver_order", json.at("solver_order"), "1 or 2 with sde-dpmsolver");
  if (scheduler.name == kEdmMultistep && json.value("algorithm_type", Json()) == "sde-dpmsolver++" &&
      value_or<std::int64_t>(json, "solver_order", 2) > 2)
    refuse_setting("solver_order", json.at("solver_order"), "1 or 2 with sde-dpmsolver++");
  if (scheduler.name == kSaSolver && json.value("algorithm_type", Json()) == "noise_prediction" &&
      value_or(json, "thresholding", false))
    refuse_setting("thresholding", true, "false with noise_prediction");
  refuse_eps_at_sigma_zero(scheduler, json);
}

}  // namespace

void require_supported_settings(const SchedulerClass& scheduler, const Json& json) {
  for (const auto& [key, values, classes] : supported_settings()) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null() || !reads_key(scheduler, key)) continue;
    if (!classes.empty() && !is_among(scheduler.name, classes)) continue;
    if (std::find(values.begin(), values.end(), *found) == values.end())
      refuse_setting(key, *found, alternatives(values));
  }
  refuse_combinations(scheduler, json);
}

std::string sigma_schedule_of(const SchedulerClass& scheduler, const Json& json) {
  static const std::vector<std::pair<std::string, std::string>> flags = {{"use_karras_sigmas", "karras"},
                                                                         {"use_exponential_sigmas", "exponential"},
                                                                         {"use_beta_sigmas", "beta"},
                                                                         {"use_lu_lambdas", "lu"}};
  std::string schedule = scheduler.defaults.sigma_schedule, chosen_by;
  if (reads_key(scheduler, "sigma_schedule")) schedule = value_or(json, "sigma_schedule", schedule);
  for (const auto& [flag, name] : flags) {
    if (!reads_key(scheduler, flag) || !value_or(json, flag, false)) continue;
    if (!chosen_by.empty()) refuse_setting(flag, true, "false with " + chosen_by);
    schedule = name;
    chosen_by = flag;
  }
  return schedule;
}

}  // namespace sfumato
