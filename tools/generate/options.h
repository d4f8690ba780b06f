#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "images/write.h"
#include "systems/stable_diffusion/additions.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// What txt2img, img2img and inpaint are told on their command line.
struct GenerateOptions {
  /// One a prompt; seeds run on from one to the next.
  std::vector<Request> requests;
  std::string model;
  /// A VAE in place of the model's own; "" for none.
  std::string vae;
  /// What the model predicts, where its files do not say it: a prediction_type of diffusers; "" as they say.
  std::string prediction{};
  Additions additions;
  /// LoRA files that the tags of each request's prompt name, merged after those of `additions`; one list a request.
  std::vector<std::vector<Lora>> prompt_loras{};
  std::string device = "auto";
  std::string dtype = "auto";
  /// float32 on CUDA may round to TF32 (core/cuda.h).
  bool tf32 = false;
  /// auto, on or off.
  std::string vae_tiling = "auto";
  /// A pattern with {seed} and {index}; "" finds free names.
  std::string output;
  std::string save_latents;
  /// A .gif, .webp or .mp4 of the reverse process, and its frames before the last.
  std::string animation{};
  std::int64_t frames = 24;
  /// Pictures that go through the model at once.
  std::int64_t batch_size = 1;
  /// How a JPEG or WebP is written, 1 to 100.
  std::int64_t quality = kDefaultQuality;
  /// Steps between previews; 0 makes none.
  std::int64_t preview_every = 0;
  /// A small VAE that decodes the previews; "" for a linear function of the latents.
  std::string preview_vae{};
  bool force = false;
  /// Pictures whose file exists already are left out.
  bool skip_existing = false;
  bool json = false;
  bool verbose = false;
  bool quiet = false;
  /// What of the command line was left aside, one line each.
  std::vector<std::string> warnings{};
};

/// What distinguishes the programs.
struct GenerateProgram {
  std::string name;
  std::string description;
  bool takes_image = false;
  bool takes_mask = false;
  double strength = Request().strength;  ///< where the command line names none
};

/// The options, or nothing where --help or --list was asked for and printed. Throws std::invalid_argument for a wrong
/// argument and std::runtime_error for a file that cannot be read (--prompts-file, --from-image).
std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv);

/// The names of all the options of parse_options, with their hyphens.
std::set<std::string> generate_option_names(const GenerateProgram& program);

}  // namespace sfumato
