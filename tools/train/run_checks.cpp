#include "train/run_checks.h"

#include <filesystem>
#include <iostream>
#include <set>
#include <stdexcept>

#include "core/writable.h"
#include "training/recipe.h"

namespace sfumato {
namespace {

/// Refuses a value of the recipe that the command line sets twice.
void check_settings(const Arguments& arguments) {
  std::set<std::string> keys;
  if (arguments.steps) keys.insert("steps");
  for (const auto& setting : arguments.settings) {
    const auto key = setting.substr(0, setting.find('='));
    if (!keys.insert(key).second) throw std::invalid_argument("'" + key + "' is set 2 times: expected once");
  }
}

}  // namespace

Json read_recipe(const Arguments& arguments) {
  if (arguments.positional.size() != 1) throw std::invalid_argument("expected one recipe; see --help");
  check_settings(arguments);
  auto json = read_json(arguments.positional[0]);
  for (const auto& setting : arguments.settings) apply_setting(json, setting);
  if (arguments.steps) json["steps"] = *arguments.steps;
  return json;
}

void check_run(const Arguments& arguments, const TrainingJob& job) {
  if (arguments.out.empty()) throw std::invalid_argument("--out is missing: name the run's folder");
  const RunFolder run(arguments.out);
  if (run.has_checkpoints() && !arguments.resume) {
    throw std::invalid_argument("'" + arguments.out + "' holds a run already; add --resume or name another folder");
  }
  if (arguments.resume && !run.is_begun()) {
    throw std::invalid_argument("--resume: there is no run in '" + arguments.out + "'");
  }
  check_writable_folder(run.path());
  if (!run.has_checkpoints()) return;
  if (!arguments.init_from.empty())
    throw std::invalid_argument("--init-from '" + arguments.init_from + "': the run in '" + arguments.out +
                                "' goes on with its own weights; expected no --init-from");
  const auto begun = run.path() / "recipe.json";
  if (!std::filesystem::exists(begun)) return;
  for (const auto& warning : check_continues(job, *job_of(run), begun.string()))
    std::cerr << "train: warning: " << warning << '\n';
}

}  // namespace sfumato
