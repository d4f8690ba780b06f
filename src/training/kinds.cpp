#include "training/kinds.h"

#include <map>
#include <stdexcept>
#include <utility>

#include "core/interrupt.h"
#include "core/shortened.h"
#include "core/whole_folder.h"
#include "training/kinds/classifier/classifier_kind.h"
#include "training/kinds/clip/clip_kind.h"
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

/// Texts of two values, for a message.
using ValueTexts = std::pair<std::string, std::string>;

/// Dotted keys at which two recipes differ, with both values.
std::map<std::string, ValueTexts> differences(const Json& own, const Json& other, const std::string& prefix = "") {
  constexpr std::size_t kMostShown = 60;
  auto keys = own;
  keys.update(other);
  std::map<std::string, ValueTexts> found;
  for (const auto& [key, unused] : keys.items()) {
    const auto one = own.value(key, Json()), two = other.value(key, Json());
    if (one == two) continue;
    if (one.is_object() && two.is_object())
      found.merge(differences(one, two, prefix + key + "."));
    else
      found[prefix + key] = {shortened(one.dump(), kMostShown), shortened(two.dump(), kMostShown)};
  }
  return found;
}

}  // namespace

const std::vector<TrainingKind>& training_kinds() {
  static const std::vector<TrainingKind> table = {
      vae_kind(),   text_to_image_kind(),   classifier_kind(), unconditional_kind(),
      glide_kind(), glide_upsampler_kind(), clip_kind(),
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

std::vector<std::string> check_continues(const TrainingJob& job, const TrainingJob& begun, const std::string& where) {
  const Json kinds = {{"kind", job.recipe().kind}}, begun_kinds = {{"kind", begun.recipe().kind}};
  const auto own = job.identity(), first = begun.identity();
  for (const auto& [now, before] : {std::pair{kinds, begun_kinds}, std::pair{own.fixed, first.fixed}})
    for (const auto& [key, values] : differences(now, before))
      throw std::invalid_argument("'" + key + "' is " + values.first + ", and the run was begun with " + values.second +
                                  " (" + where + "): expected the same, or a run of its own");
  std::vector<std::string> warnings;
  for (const auto& [key, values] : differences(own.places, first.places))
    warnings.push_back("'" + key + "' is " + values.first + ", and the run was begun with " + values.second +
                       ": expected the same content at another place");
  return warnings;
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

bool export_run(const RunFolder& run, const fs::path& folder, const SaveOptions& options) {
  const auto job = job_of(run);
  const auto checkpoint = checkpoint_of(run);
  return write_into_folder(folder, [&](const fs::path& written) {
    job->export_weights(run, checkpoint, written, options);
    return !interrupted();
  });
}

}  // namespace sfumato
