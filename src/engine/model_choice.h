#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/placement.h"
#include "core/processor.h"

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
  /// Keeps text encoders and VAE in host memory while the UNet computes (Placement::offload); only on CUDA.
  bool offload = false;
  /// Tiling of the VAE: auto, on or off. Tiles change an image slightly.
  std::string vae_tiling = "auto";
};

/// Parses the placement of a run and sets whether CUDA may use TF32. Adds a warning for a setting without effect and
/// for a slow dtype. Throws std::invalid_argument as parse_placement does.
Placement choose_placement(const std::string& device, const std::string& dtype, bool tf32,
                           std::vector<std::string>& warnings);

/// True if dtype "auto" is bfloat16 for a Stable Diffusion model, a folder or file, on a CPU: with AMX, for 256 MiB or
/// more. A step of Stable Diffusion 1's shape then differs from float32 by 1.5e-2 of its norm, as diffusers' does
/// (bench/README.md). Smaller networks gain less time and lose more: images of the included model (15 MiB) are at 49
/// dB.
bool prefers_bfloat16(const std::filesystem::path& model, torch::Device device, bool amx = has_amx());

}  // namespace sfumato
