#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/json.h"
#include "training/objective.h"

namespace sfumato {

/// The part of a training run that differs between kinds of model: the objective, its data and its metrics. The loop
/// (trainer.h) sees only this. All of a task's randomness is a function of the recipe's seed and the step.
class Task {
 public:
  virtual ~Task() = default;

  /// The networks that are trained.
  virtual Objective& objective() = 0;
  /// Another objective of the same kind, whose weights are undefined until they are replaced (see Replicas).
  virtual std::unique_ptr<Objective> new_objective() const = 0;
  /// Takes the weights of a diffusers folder for the start. Throws std::runtime_error where they do not fit.
  virtual void init_from(const std::filesystem::path& folder) = 0;
  /// The batch numbered `step`, with the noise and whatever else is drawn for it.
  virtual Batch batch(std::int64_t step) = 0;
  /// Held-out metrics of the present weights, for the log.
  virtual Json evaluate() = 0;
  /// Pictures made with the present weights: uint8 [H, W, 3].
  virtual torch::Tensor sample_grid() = 0;
};

}  // namespace sfumato
