#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "images/write.h"
#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Options of txt2img, img2img and inpaint.
struct GenerateOptions {
  /// One for each prompt; seeds continue from one to the next.
  std::vector<Request> requests;
  std::string model;
  /// Replaces the model's own VAE; "" for none.
  std::string vae;
  /// Prediction type of the model (diffusers' prediction_type) if its files do not contain it; "" to use theirs.
  std::string prediction{};
  Adapters adapters;
  /// LoRA files of the tags in each request's prompt, merged after those of `adapters`; one list for each request.
  std::vector<std::vector<Lora>> prompt_loras{};
  std::string device = "auto";
  std::string dtype = "auto";
  /// Allows float32 on CUDA to round to TF32 (core/cuda.h).
  bool tf32 = false;
  /// One of auto, on and off.
  std::string vae_tiling = "auto";
  /// A pattern with {seed} and {index}; "" chooses unused names.
  std::string output;
  std::string save_latents;
  /// A .gif, .webp or .mp4 file of the reverse process, and the number of its frames before the last.
  std::string animation{};
  std::int64_t frames = 24;
  /// Number of images in a batch of the model.
  std::int64_t batch_size = 1;
  /// Quality of a JPEG or WebP, 1 to 100.
  std::int64_t quality = kDefaultQuality;
  /// Number of steps between previews; 0 for none.
  std::int64_t preview_every = 0;
  /// A small VAE that decodes the previews; "" for a linear function of the latents.
  std::string preview_vae{};
  bool force = false;
  /// Skips images whose files exist already.
  bool skip_existing = false;
  bool json = false;
  bool verbose = false;
  bool quiet = false;
  /// Ignored parts of the command line, one line each.
  std::vector<std::string> warnings{};
};

/// Differences between the programs.
struct GenerateProgram {
  std::string name;
  std::string description;
  bool takes_image = false;
  bool takes_mask = false;
  double strength = Request().strength;  ///< default without the option
};

/// Returns the options, or nothing after printing --help or --list. Throws std::invalid_argument for a wrong
/// argument and std::runtime_error for a file that cannot be read (--prompts-file, --from-image).
std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv);

/// Returns the names of all options of parse_options, with their hyphens.
std::set<std::string> generate_option_names(const GenerateProgram& program);

}  // namespace sfumato
