#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "generate/options.h"
#include "images/write.h"
#include "systems/glide/request.h"

namespace sfumato {

/// The command line of txt2img and inpaint with a model of GLIDE, checked as far as it can be without the model.
struct GLIDEOptions {
  GLIDERequest request;
  std::string model;
  std::string image, mask;  ///< of inpaint
  bool invert_mask = false;

  std::string output;       ///< pattern of the images
  std::string base_output;  ///< pattern of the base model's images; "" for none
  /// True if an option of the upsampler was given.
  bool names_upsampler = false;
  std::int64_t batch_size = 1, quality = kDefaultQuality;
  bool force = false, json = false, quiet = false;

  std::string device = "auto", dtype = "auto";
  bool tf32 = false;
};

/// Nothing where --help was asked for, and printed. Throws std::invalid_argument, also for an option that the program
/// has with other models alone.
std::optional<GLIDEOptions> parse_glide_options(const GenerateProgram& program, int argc, char** argv);

}  // namespace sfumato
