#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "systems/unconditional/chain.h"

namespace sfumato {

/// Command line of `sample`, checked as far as possible without the model.
struct SampleOptions {
  std::string model;
  std::int64_t count = 1;
  std::uint64_t seed = 0;
  ChainOptions chain;
  std::string classes;
  std::int64_t batch_size = 16;

  std::string output;  ///< pattern of single images, or the file of a strip
  std::string grid;
  bool no_grid = false, only_grid = false;
  std::int64_t columns = 0;  ///< of the grid; 0 for about as many as rows

  std::optional<std::uint64_t> interpolate = {};  ///< seed at the other end
  std::vector<std::int64_t> compare_steps = {};
  std::string animation;
  std::int64_t frames = 60;

  std::string device = "auto", dtype = "auto";
  bool tf32 = false, force = false, quiet = false;

  /// True if the result is one strip instead of images and their grid.
  bool is_strip() const { return interpolate.has_value() || !compare_steps.empty(); }
};

/// Returns nothing after printing --help or --list-samplers. Throws std::invalid_argument.
std::optional<SampleOptions> parse_sample_options(int argc, char** argv);

}  // namespace sfumato
