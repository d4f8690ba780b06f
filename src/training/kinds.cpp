#include "training/kinds.h"

#include <stdexcept>

#include "training/kinds/classifier/classifier_kind.h"
#include "training/kinds/glide/glide_kind.h"
#include "training/kinds/text_to_image/text_to_image_kind.h"
#include "training/kinds/unconditional/unconditional_kind.h"
#include "training/kinds/vae/vae_kind.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

const TrainingKind& find_kind(const std::string& name, const std::string& where) {
  std::string known;
  for (const auto& kind : training_kinds()) {
    if (kind.name == name) return kind;
    known += (known.empty() ? "'" : ", '") + kind.name + "'";
  }
  throw std::invalid_argument(where + ": 'kind' is '" + name + "'; expected one of " + known);
}

}  // namespace

const std::vector<TrainingKind>& training_kinds() {
  static const std::vector<TrainingKind> table = {
      vae_kind(), text_to_image_kind(), classifier_kind(), unconditional_kind(), glide_kind(), glide_upsampler_kind(),
  };
  return table;
}

std::unique_ptr<TrainingJob> parse_job(const Json& recipe, const std::string& where) {
  expect(recipe.is_object(), where, "expected an object", recipe);
  const auto& kind = find_kind(value_or<std::string>(recipe, "kind", ""), where);
  auto keys = common_recipe_keys();
  keys.push_back("kind");
  keys.insert(keys.end(), kind.keys.begin(), kind.keys.end());
  refuse_unknown_keys(recipe, keys, where);
  return kind.parse(recipe, where);
}

std::unique_ptr<Task> make_task(const TrainingJob& job, const TaskContext& context) {
  job.check();
  return job.make_task(context);
}

void check_continues(const Json& recipe, const Json& begun, const std::string& where) {
  std::vector<std::string> keys{"kind"};
  const auto& fixed = find_kind(value_or<std::string>(recipe, "kind", ""), where).fixed_keys;
  keys.insert(keys.end(), fixed.begin(), fixed.end());
  for (const auto& key : keys) {
    const auto own = recipe.value(key, Json()), first = begun.value(key, Json());
    const bool moved = own.is_string() && first.is_string() && key == "vae";  // a folder: its place alone
    if (own != first && !moved)
      throw std::invalid_argument("'" + key + "' is not what the run was begun with (" + where +
                                  "): expected the same, or a run of its own");
  }
}

std::unique_ptr<TrainingJob> job_of(const RunFolder& run) {
  const auto file = run.path() / "recipe.json";
  if (!fs::exists(file)) throw std::invalid_argument("'" + run.path().string() + "' is no training run");
  return parse_job(read_json(file), "'" + file.string() + "'");
}

Checkpoint checkpoint_of(const RunFolder& run) {
  auto checkpoint = run.newest();
  if (!checkpoint) throw std::runtime_error("'" + run.path().string() + "' holds no checkpoint yet");
  return *checkpoint;
}

void export_run(const RunFolder& run, const fs::path& folder, const SaveOptions& options) {
  const auto job = job_of(run);
  job->export_weights(run, checkpoint_of(run), folder, options);
}

}  // namespace sfumato
