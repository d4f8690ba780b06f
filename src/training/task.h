#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "core/json.h"
#include "diffusion/bits_per_dimension.h"
#include "training/loading/loader.h"
#include "training/objective.h"

namespace sfumato {

/// Images and timesteps that bits per dimension are measured on.
struct BitsSettings {
  std::int64_t images = 0;     ///< held-out images at most; 0 for all
  std::int64_t timesteps = 0;  ///< of bound_timesteps; 0 for all
  /// May be empty; receives the number of completed network evaluations, of `total`.
  std::function<void(std::int64_t done, std::int64_t total)> on_evaluation = {};
};

/// The parts of a training run that differ between kinds. The loop (trainer.h) uses only this interface.
class Task {
 public:
  virtual ~Task() = default;

  /// Networks in training, with their loss.
  virtual Objective& objective() = 0;
  /// Returns another objective of the same kind, whose weights are undefined until they are replaced (see Replicas).
  virtual std::unique_ptr<Objective> new_objective() const = 0;
  virtual Loader& loader() = 0;
  /// Loads the initial weights from a diffusers folder. Throws std::runtime_error if they do not fit.
  virtual void init_from(const std::filesystem::path& folder) = 0;
  /// Returns held-out metrics of the current weights after `step` updates, for the log.
  virtual Json evaluate(std::int64_t step) = 0;
  /// Returns a grid of images made with the current weights: uint8 [H, W, 3].
  virtual torch::Tensor sample_grid() = 0;
  /// Returns the bound of held-out images with the current weights; nothing for a kind that models no 8-bit images.
  virtual std::optional<BitsPerDimension> held_out_bits(const BitsSettings& settings) { return std::nullopt; }
};

}  // namespace sfumato
