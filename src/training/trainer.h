#pragma once

#include <functional>

#include "training/recipe.h"
#include "training/run_folder.h"
#include "training/task.h"

namespace sfumato {

/// Progress of the loop after an update.
struct TrainingProgress {
  std::int64_t step = 0;
  std::int64_t steps = 0;
  double loss = 0;
  double examples_per_second = 0;
};

struct TrainerHooks {
  /// Called once before the first update; not called where no step is left.
  std::function<void()> on_begin;
  std::function<void(const TrainingProgress&)> on_step;
  /// Writes a picture, uint8 [H, W, 3], to the path with an extension of its choice added.
  std::function<void(const std::filesystem::path&, const torch::Tensor&)> write_picture;
  /// True ends the run after the present update, with a checkpoint.
  std::function<bool()> stop_requested;
};

struct TrainerOptions {
  TrainerHooks hooks;
  /// See Replicas. What check_replicas accepts.
  std::int64_t replicas = 1;
};

/// Trains from the folder's newest checkpoint, or from the start where it has none, until the recipe's steps are done
/// or a stop is requested. Returns the count of updates done. A run that was killed and continues from its checkpoint
/// gives, on the same CPU with as many threads and replicas, the very weights of a run that was not.
std::int64_t train(Task& task, const Recipe& recipe, const RunFolder& run, const TrainerOptions& options);

}  // namespace sfumato
