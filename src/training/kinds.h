#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
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

/// A folder of captioned images to pack, and the file to write.
struct FolderPacking {
  std::filesystem::path folder, tokenizer, pack;
  /// Side of the packed images in pixels.
  std::int64_t image_size = 0;
};

/// Writes the pack. Throws std::runtime_error naming an image without caption or one that cannot be read.
using PackFolder = std::function<void(const FolderPacking& packing)>;

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
  /// Packs a folder of captioned images; empty in a build without image libraries.
  PackFolder pack_folder = {};
  /// May be empty; receives warnings of settings that have no effect with the data, one line each.
  std::function<void(const std::string& warning)> on_warning = {};
};

/// Parts of a recipe that define a run.
struct RunIdentity {
  /// Seed, networks, process and the division of the data, by the recipe's keys and with all defaults. With another
  /// value the weights would not fit or mean something else, or held-out images would have been trained on.
  Json fixed = Json::object();
  /// Paths, which may be moved, as long as the same is found there.
  Json places = Json::object();
};

/// A parsed recipe of one kind.
class TrainingJob {
 public:
  virtual ~TrainingJob() = default;

  virtual const Recipe& recipe() const = 0;
  /// True if the networks have dropout, whose draws would depend on the order of replicas.
  virtual bool has_dropout() const { return false; }
  /// True if the loss compares the rows of a batch with each other, so that a batch cannot be divided.
  virtual bool couples_rows() const { return false; }
  /// Returns why a run must start from given weights (--init-from), or "" if it need not.
  virtual std::string needs_weights() const { return ""; }
  /// Returns a line for each part that the export will lack.
  virtual std::vector<std::string> warnings() const { return {}; }
  /// Returns the parts that a resumed run must not change.
  virtual RunIdentity identity() const = 0;
  /// Throws std::invalid_argument if networks, scheduler and data do not fit one another, or a config has a key that
  /// its class lacks. Reads no file.
  virtual void check() const = 0;
  /// Creates the task, after check(). Throws the errors of reading the data and the networks' configs.
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
  std::unique_ptr<TrainingJob> (*parse)(const Json& recipe, const std::string& where);
};

const std::vector<TrainingKind>& training_kinds();

/// Reads a recipe strictly: an unknown kind or key, a missing key that has no default, or a value out of range throws
/// std::invalid_argument that names it; `where` names the file.
std::unique_ptr<TrainingJob> parse_job(const Json& recipe, const std::string& where);

/// Checks a job and creates its task.
std::unique_ptr<Task> make_task(const TrainingJob& job, const TaskContext& context);

/// Throws std::invalid_argument, by the key, where `job` is another run than `begun`, the one that the folder holds
/// (RunIdentity::fixed). Other keys may differ, such as the steps or the learning rate. Returns a warning for each
/// place that differs. `where` names the recipe of `begun`.
std::vector<std::string> check_continues(const TrainingJob& job, const TrainingJob& begun, const std::string& where);

/// Writes a run's averaged weights as a folder that diffusers opens (TrainingJob::export_weights). The folder appears,
/// or its files change, once all are written. Returns false if SIGINT or SIGTERM (core/interrupt.h) arrived before.
/// Throws std::runtime_error if the run has no checkpoint and std::invalid_argument if its recipe is invalid.
bool export_run(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options);

/// Reads a run's recipe. Throws std::invalid_argument if the folder holds no run or its recipe is invalid.
std::unique_ptr<TrainingJob> job_of(const RunFolder& run);

/// Reads a run's newest checkpoint. Throws std::runtime_error if there is none.
Checkpoint checkpoint_of(const RunFolder& run);

}  // namespace sfumato
