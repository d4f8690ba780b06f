#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>

#include "core/json.h"
#include "training/adamw.h"

namespace sfumato {

/// What is learnt: the part of a training run that differs between kinds of model. The loop (trainer.h) sees only
/// this. All of a task's randomness is a function of the recipe's seed and the step.
class Task {
 public:
  virtual ~Task() = default;

  /// Everything that is trained, by the name it has in checkpoints ("unet.conv_in.weight").
  virtual NamedTensors parameters() = 0;
  /// Takes the weights of a diffusers folder for the start. Throws std::runtime_error where they do not fit.
  virtual void init_from(const std::filesystem::path& folder) = 0;
  /// The scalar loss of the batch numbered `step`, with its graph.
  virtual torch::Tensor loss(std::int64_t step) = 0;
  /// What the weights in place reach on held-out data: metrics for the log.
  virtual Json evaluate() = 0;
  /// Pictures of what the weights in place make: uint8 [H, W, 3].
  virtual torch::Tensor sample_grid() = 0;
};

}  // namespace sfumato
