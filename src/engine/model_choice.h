#pragma once

#include <string>
#include <vector>

#include "core/placement.h"

namespace sfumato {

/// Model of a run and the settings that hold for all its images, in the form of the command line.
struct ModelChoice {
  /// A path, or a name under models/; "" is kDefaultModel.
  std::string name = {};
  /// Replaces the model's own VAE; "" for none.
  std::string vae = {};
  /// Prediction type (diffusers' prediction_type) in place of the one in the model's files; "" to use theirs.
  std::string prediction = {};
  std::string device = "auto";
  std::string dtype = "auto";
  /// Allows float32 on CUDA to round to TF32 (core/cuda.h).
  bool tf32 = false;
  /// Tiling of the VAE: auto, on or off. Tiles change an image slightly.
  std::string vae_tiling = "auto";
};

/// Parses the placement of a run and sets whether CUDA may use TF32. Adds a warning for a setting without effect and
/// for a slow dtype. Throws std::invalid_argument as parse_placement does.
Placement choose_placement(const std::string& device, const std::string& dtype, bool tf32,
                           std::vector<std::string>& warnings);

}  // namespace sfumato
