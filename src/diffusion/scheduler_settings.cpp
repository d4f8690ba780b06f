#include "diffusion/scheduler_settings.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace sfumato {
namespace {

/// The values of a key that are supported beside null, for the classes that look at it.
struct SupportedSetting {
  std::string key;
  std::vector<std::string> classes;
  std::vector<Json> values;
};

constexpr const char* kEuler = "EulerDiscreteScheduler";
constexpr const char* kSolver = "DPMSolverMultistepScheduler";
constexpr const char* kUniPc = "UniPCMultistepScheduler";
constexpr const char* kDeis = "DEISMultistepScheduler";

bool is_among(const std::string& name, const std::vector<std::string>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A solver takes the solver_type of another class for its own default.
const std::vector<SupportedSetting>& supported_settings() {
  static const std::vector<std::string> solvers = {kSolver, kUniPc, kDeis};
  static const std::vector<SupportedSetting> settings = {
      {"solver_order", solvers, {1, 2, 3}},
      {"use_flow_sigmas", solvers, {false}},
      {"use_dynamic_shifting", solvers, {false}},
      {"algorithm_type", {kSolver}, {"dpmsolver++", "dpmsolver", "sde-dpmsolver++", "deis"}},
      {"solver_type", {kSolver}, {"midpoint", "heun", "logrho", "bh1", "bh2"}},
      {"lambda_min_clipped", {kSolver}, {}},
      {"solver_type", {kUniPc}, {"bh1", "bh2", "midpoint", "heun", "logrho"}},
      {"solver_p", {kUniPc}, {}},
      {"shift_terminal", {kUniPc}, {}},
      {"sigma_min", {kUniPc}, {}},
      {"sigma_max", {kUniPc}, {}},
  };
  return settings;
}

[[noreturn]] void refuse_setting(const std::string& key, const Json& value, const std::string& expected) {
  throw std::invalid_argument("scheduler config: '" + key + "' is " + value.dump() + ", expected " + expected);
}

std::string alternatives(const std::vector<Json>& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " or ") + value.dump();
  return text.empty() ? "null" : text;
}

}  // namespace

void require_supported_settings(const std::string& class_name, const Json& json) {
  for (const auto& [key, classes, values] : supported_settings()) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null() || !is_among(class_name, classes)) continue;
    if (std::find(values.begin(), values.end(), *found) == values.end())
      refuse_setting(key, *found, alternatives(values));
  }
  // With other predictions the reference does not look at it.
  if (class_name == kEuler && value_or<std::string>(json, "timestep_type", "discrete") != "discrete" &&
      value_or<std::string>(json, "prediction_type", "epsilon") == "v_prediction")
    refuse_setting("timestep_type", json.at("timestep_type"), "\"discrete\" with v_prediction");
  // A solver for eps does not reach sigma = 0: the reference refuses it, or its latents are not finite.
  const auto [key, of_eps] =
      class_name == kUniPc ? std::pair{"predict_x0", Json(false)} : std::pair{"algorithm_type", Json("dpmsolver")};
  const bool ends_clean = value_or<std::string>(json, "final_sigmas_type", "zero") != "sigma_min";
  if (is_among(class_name, {kSolver, kUniPc}) && ends_clean && json.value(key, Json()) == of_eps)
    refuse_setting(key, of_eps, "another with final_sigmas_type zero");
}

std::string sigma_schedule_of(const std::string& class_name, const Json& json) {
  static const std::vector<std::string> blind = {"DDIMScheduler", "DDPMScheduler", "PNDMScheduler",
                                                 "LCMScheduler",  "TCDScheduler",  "EulerAncestralDiscreteScheduler"};
  static const std::vector<std::pair<std::string, std::string>> flags = {{"use_karras_sigmas", "karras"},
                                                                         {"use_exponential_sigmas", "exponential"},
                                                                         {"use_beta_sigmas", "beta"},
                                                                         {"use_lu_lambdas", "lu"}};
  std::string schedule = "discrete", chosen_by;
  if (is_among(class_name, blind)) return schedule;
  for (const auto& [flag, name] : flags) {
    if (!value_or(json, flag, false) || (name == "lu" && class_name != kSolver)) continue;
    if (!chosen_by.empty()) refuse_setting(flag, true, "false with " + chosen_by);
    schedule = name;
    chosen_by = flag;
  }
  return schedule;
}

bool has_final_sigmas_type(const std::string& class_name) {
  return is_among(class_name, {kEuler, kSolver, kUniPc});
}

}  // namespace sfumato
