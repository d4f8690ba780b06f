#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "generate/options.h"
#include "images/write.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Command line of txt2img and inpaint with a model of GLIDE, checked as far as possible without the model.
struct GLIDEOptions {
  /// Of the first prompt. The images of all prompts have consecutive seeds.
  GLIDERequest request;
  std::vector<std::string> prompts;
  std::string model;
  std::string image, mask;  ///< for inpaint
  bool invert_mask = false;
  /// True if the command line turns off a recorded guidance by CLIP.
  bool clip_off = false;

  std::string output;       ///< pattern of the images
  std::string base_output;  ///< pattern of the base model's images; "" for none
  /// True if an option of the upsampler was given.
  bool names_upsampler = false;
  std::int64_t batch_size = 1, quality = kDefaultQuality;
  bool force = false, json = false, quiet = false;

  std::string device = "auto", dtype = "auto";
  bool tf32 = false;
};

/// Returns nothing after printing --help. Throws std::invalid_argument, also for an option that the program has only
/// with other models.
std::optional<GLIDEOptions> parse_glide_options(const GenerateProgram& program, int argc, char** argv);

}  // namespace sfumato
