#include "diffusion/solver_config.h"

#include <algorithm>

namespace sfumato {
namespace {

using Keys = std::vector<std::string>;

/// Those that the class looks at.
const Keys& solver_keys_of(const std::string& class_name) {
  static const Keys none = {}, deis = {"solver_order", "lower_order_final"},
                    dpm = {"solver_order", "solver_type", "algorithm_type", "lower_order_final", "euler_at_final"},
                    unipc = {"solver_order", "solver_type", "lower_order_final", "predict_x0", "disable_corrector"};
  if (class_name == "DPMSolverMultistepScheduler") return dpm;
  if (class_name == "UniPCMultistepScheduler") return unipc;
  return class_name == "DEISMultistepScheduler" ? deis : none;
}

/// Calls `visit` with each key of the class and the member that it names.
template <class Config, class Visit>
void for_each_solver_key(Config& config, const std::string& class_name, Visit visit) {
  const auto& keys = solver_keys_of(class_name);
  const auto offer = [&](const char* key, auto& member) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) visit(key, member);
  };
  offer("solver_order", config.solver_order);
  offer("solver_type", config.solver_type);
  offer("algorithm_type", config.algorithm_type);
  offer("lower_order_final", config.lower_order_final);
  offer("euler_at_final", config.euler_at_final);
  offer("predict_x0", config.predict_x0);
  offer("disable_corrector", config.disable_corrector);
}

}  // namespace

SolverConfig SolverConfig::from_json(const std::string& class_name, const Json& json) {
  SolverConfig config;
  if (class_name == "DPMSolverMultistepScheduler") config.solver_type = "midpoint";
  if (class_name == "UniPCMultistepScheduler") config.solver_type = "bh2";
  for_each_solver_key(config, class_name, [&](const char* key, auto& member) { member = value_or(json, key, member); });
  return config;
}

Json SolverConfig::to_json(const std::string& class_name) const {
  auto json = Json::object();
  for_each_solver_key(*this, class_name, [&](const char* key, const auto& member) { json[key] = member; });
  return json;
}

}  // namespace sfumato
