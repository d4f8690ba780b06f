#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include "core/json.h"
#include "training/loading/loader.h"
#include "training/objective.h"

namespace sfumato {

/// The parts of a training run that differ between kinds. The loop (trainer.h) sees only this.
class Task {
 public:
  virtual ~Task() = default;

  /// The networks that are trained.
  virtual Objective& objective() = 0;
  /// Another objective of the same kind, whose weights are undefined until they are replaced (see Replicas).
  virtual std::unique_ptr<Objective> new_objective() const = 0;
  virtual Loader& loader() = 0;
  /// Takes the weights of a diffusers folder for the start. Throws std::runtime_error where they do not fit.
  virtual void init_from(const std::filesystem::path& folder) = 0;
  /// Held-out metrics of the present weights after `step` updates, for the log.
  virtual Json evaluate(std::int64_t step) = 0;
  /// Images made with the present weights: uint8 [H, W, 3].
  virtual torch::Tensor sample_grid() = 0;
};

}  // namespace sfumato
