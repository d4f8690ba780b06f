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
  /// Writes an image, uint8 [H, W, 3], to the path with an extension of its choice added.
  std::function<void(const std::filesystem::path&, const torch::Tensor&)> write_sample;
  /// Returns true to end the run after the current update, with a checkpoint.
  std::function<bool()> stop_requested;
};

struct TrainerOptions {
  TrainerHooks hooks;
  /// Number of replicas (see Replicas), as check_replicas accepts it.
  std::int64_t replicas = 1;
};

/// Trains from the folder's newest checkpoint, or from the start if it has none, until the recipe's steps are complete
/// or a stop is requested. Returns the number of completed updates. A run that was killed and resumes from its
/// checkpoint gives, on the same CPU with as many threads and replicas, exactly the weights of an uninterrupted run.
std::int64_t train(Task& task, const Recipe& recipe, const RunFolder& run, const TrainerOptions& options);

}  // namespace sfumato
