#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "checkpoints/save.h"
#include "core/json.h"
#include "data/image_set.h"
#include "training/loading/latent_cache.h"
#include "training/recipe.h"
#include "training/run_folder.h"
#include "training/task.h"

namespace sfumato {

/// Context of a task besides its recipe.
struct TaskContext {
  RunFolder run;
  torch::Device device = torch::kCPU;
  /// May be empty; receives the progress of encoding images to latents.
  OnEncoded on_encoded = {};
  /// Reads image files; empty in a build without image libraries.
  ReadImage read_image = {};
  /// May be empty; receives the progress of reading image files.
  OnRead on_read = {};
};

/// A recipe of one kind, read.
class TrainingJob {
 public:
  virtual ~TrainingJob() = default;

  virtual const Recipe& recipe() const = 0;
  /// True if the networks have dropout, whose draws replicas would mix up.
  virtual bool has_dropout() const { return false; }
  /// The reason why a run must start from given weights (--init-from); "" where it need not.
  virtual std::string needs_weights() const { return ""; }
  /// One line each on what the export will miss.
  virtual std::vector<std::string> warnings() const { return {}; }
  /// Throws std::invalid_argument where networks, scheduler and data do not fit one another, or a config has a key that
  /// its class does not have. Reads no file.
  virtual void check() const = 0;
  /// Throws what reading the data and the networks' configs throws. To be called after check().
  virtual std::unique_ptr<Task> make_task(const TaskContext& context) const = 0;
  /// Writes a run's averaged weights as a folder that diffusers opens.
  virtual void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                              const SaveOptions& options) const = 0;
};

/// A kind of training run: a row of the table.
struct TrainingKind {
  std::string name;
  /// The recipe's keys besides common_recipe_keys().
  std::vector<std::string> keys;
  /// Those of them that a run which resumes must leave as they were: networks and the diffusion process.
  std::vector<std::string> fixed_keys;
  std::unique_ptr<TrainingJob> (*parse)(const Json& recipe, const std::string& where);
};

const std::vector<TrainingKind>& training_kinds();

/// Reads a recipe strictly: an unknown kind or key, a missing key that has no default, or a value out of range throws
/// std::invalid_argument that names it; `where` names the file.
std::unique_ptr<TrainingJob> parse_job(const Json& recipe, const std::string& where);

/// Checks a job and makes its task.
std::unique_ptr<Task> make_task(const TrainingJob& job, const TaskContext& context);

/// Throws std::invalid_argument where `recipe` trains other networks, or another process, than `begun`, the recipe that
/// a run was begun with: its weights would not fit, or mean something else. Other keys may differ, such as the steps or
/// the learning rate. `where` names the file of `begun`.
void check_continues(const Json& recipe, const Json& begun, const std::string& where);

/// Writes a run's averaged weights as a folder that diffusers opens (TrainingJob::export_weights). Throws
/// std::runtime_error where the run has no checkpoint and std::invalid_argument where its recipe is not valid.
void export_run(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options);

/// A run's recipe. Throws std::invalid_argument where the folder holds no run or its recipe is not valid.
std::unique_ptr<TrainingJob> job_of(const RunFolder& run);

/// A run's newest checkpoint. Throws std::runtime_error where there is none.
Checkpoint checkpoint_of(const RunFolder& run);

}  // namespace sfumato
