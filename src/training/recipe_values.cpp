#include "training/recipe_values.h"

#include <stdexcept>

#include "core/number_text.h"
#include "diffusion/schedule_config.h"

namespace sfumato {

Json object_at(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? Json::object() : *found;
}

Json config_at(const Json& json, const std::string& key, const std::string& where) {
  auto config = object_at(json, key);
  expect(config.is_object(), where, "'" + key + "' must be a config", config);
  return config;
}

void expect_within(double value, double low, double high, const std::string& where, const std::string& key) {
  if (value >= low && value <= high) return;
  const bool open = high == kNoLimit;
  throw std::invalid_argument(where + ": '" + key + "' is " + number_text(value) + ", expected " + number_text(low) +
                              (open ? " or more" : " to " + number_text(high)));
}

void expect(bool holds, const std::string& where, const std::string& what, const Json& json) {
  if (!holds) throw std::invalid_argument(where + ": " + what + " in " + json.dump());
}

void refuse_misfit(const std::string& key, std::int64_t value, const std::string& expected) {
  throw std::invalid_argument(key + " is " + std::to_string(value) + "; expected " + expected);
}

void refuse_other_keys(const Json& config, const Json& written, std::vector<std::string> others,
                       const std::string& where) {
  for (const auto& [key, value] : written.items()) others.push_back(key);
  for (const auto& [key, value] : config.items())
    if (key.starts_with("_")) others.push_back(key);  // _class_name, _diffusers_version, _name_or_path
  refuse_unknown_keys(config, others, where);
}

void require_size(const Json& config, const std::string& key, const std::string& where) {
  if (config.value(key, Json()).is_null())
    throw std::invalid_argument(where + ": no '" + key + "'; expected the size of the network to train");
}

void check_scheduler(const Json& config, std::int64_t sample_steps) {
  const auto schedule = ScheduleConfig::from_json(config);
  if (schedule.process != "betas")
    throw std::invalid_argument("scheduler: '_class_name' is '" + schedule.class_name +
                                "', expected one with betas, as DDIMScheduler: training draws their timesteps");
  refuse_other_keys(config, schedule.to_json(), {"set_alpha_to_one", "variance_type"}, "scheduler");
  if (sample_steps > schedule.num_train_timesteps)
    refuse_misfit("sample: 'steps'", sample_steps,
                  "at most the scheduler's " + std::to_string(schedule.num_train_timesteps) + " timesteps");
}

}  // namespace sfumato
