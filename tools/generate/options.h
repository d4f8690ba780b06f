#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/request.h"

namespace sfumato {

/// What txt2img and img2img are told on their command line.
struct GenerateOptions {
  /// One a prompt; seeds run on from one to the next.
  std::vector<Request> requests;
  std::string model;
  std::string device = "auto";
  std::string dtype = "auto";
  /// A pattern with {seed} and {index}; "" finds free names.
  std::string output;
  std::string save_latents;
  bool force = false;
  bool json = false;
  bool verbose = false;
  bool quiet = false;
};

/// What distinguishes the two programs.
struct GenerateProgram {
  std::string name;
  std::string description;
  bool takes_image = false;
};

/// The options, or nothing where --help or --list was asked for and printed. Throws std::invalid_argument for a wrong
/// argument and std::runtime_error for a file that cannot be read (--prompts-file, --from-image).
std::optional<GenerateOptions> parse_options(const GenerateProgram& program, int argc, char** argv);

}  // namespace sfumato
