#include <gtest/gtest.h>

#include <map>
#include <set>

#include "diffusion/scheduler_classes.h"
#include "parity/diffusion_trajectory.h"

namespace sfumato::parity {
namespace {

std::string described(const Json& one) {
  auto shown = one.at("swept");
  shown.at("config").erase("trained_betas");
  return shown.dump();
}

/// What a key of scheduler_config.json came to.
struct Outcome {
  std::string refusal = {};  ///< ours
  double error = 0;          ///< the worst step's, against the reference
};

Outcome outcome_of(const Json& one, const Golden& golden) {
  auto swept = one.at("swept");
  try {
    swept["sampler"] = default_sampler(ScheduleConfig::from_json(swept.at("config")));
    const auto ours = trajectory(swept);
    if (swept.contains("reference")) return {};
    return {.error = worst_step_error(ours, golden.latents(one, swept.at("count").get<std::int64_t>()))};
  } catch (const std::invalid_argument& error) {
    return {.refusal = error.what()};
  }
}

/// True if the message names the key, or one that was changed with it.
bool names_a_key(const std::string& message, const Json& config) {
  for (const auto& [key, value] : config.items())
    if (key != "_class_name" && message.find(key) != std::string::npos) return true;
  return false;
}

/// Of its tables in float64 what the reference keeps in float32 is left (diffusion_schedulers.cpp): most for the
/// ancestral one of two evaluations, and where sigma begins at 2e4.
double tolerance_of(const Json& config) {
  const bool ancestral = config.at("_class_name") == "KDPM2AncestralDiscreteScheduler";
  return ancestral || config.value("beta_schedule", "") == "squaredcos_cap_v2" ? 1e-3 : 2e-4;
}

TEST(SchedulerKeys, DifferWithATimestepOffByOne) {
  const auto golden = Golden::load();
  for (const auto& one : golden.cases) {
    if (!one.contains("swept") || one.at("swept").at("key") != "_class_name") continue;
    auto swept = one.at("swept");
    SCOPED_TRACE(described(one));
    swept["sampler"] = default_sampler(ScheduleConfig::from_json(swept.at("config")));
    const auto expected = golden.latents(one, swept.at("count").get<std::int64_t>());
    EXPECT_GT(worst_step_error(trajectory(swept, 1), expected), 4 * tolerance_of(swept.at("config")));
  }
}

TEST(SchedulerKeys, AgreeWithTheReferenceOrAreRefusedByName) {
  const auto golden = Golden::load();
  std::set<std::string> classes;
  int agreed = 0, refused = 0;
  std::map<std::string, double> worst;
  for (const auto& one : golden.cases) {
    if (!one.contains("swept")) continue;
    SCOPED_TRACE(described(one));
    const auto& swept = one.at("swept");
    const auto outcome = outcome_of(one, golden);
    const auto name = swept.at("config").at("_class_name").get<std::string>();
    classes.insert(name);
    if (!outcome.refusal.empty()) {
      ++refused;
      EXPECT_TRUE(names_a_key(outcome.refusal, swept.at("config"))) << outcome.refusal;
      EXPECT_TRUE(swept.at("refused").get<bool>() || swept.contains("reference")) << outcome.refusal;
    } else if (!swept.contains("reference")) {
      ++agreed;
      EXPECT_LE(outcome.error, tolerance_of(swept.at("config")));
      worst[name] = std::max(worst[name], outcome.error);
    }
  }
  for (const auto& scheduler : scheduler_classes()) EXPECT_TRUE(classes.contains(scheduler.name)) << scheduler.name;
  for (const auto& [name, error] : worst) std::printf("%s: worst step %.2g\n", name.c_str(), error);
  std::printf("%d agree, %d are refused\n", agreed, refused);
  EXPECT_GT(agreed, 1000);
}

}  // namespace
}  // namespace sfumato::parity
