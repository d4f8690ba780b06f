#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sfumato {

/// Output of `train --help`.
extern const char* const kUsage;

/// Command line of `train`.
struct Arguments {
  std::vector<std::string> positional;
  std::vector<std::string> settings;
  std::set<std::string> given;  ///< names of the given options
  std::string out, init_from;
  std::string device = "auto", dtype = "fp16", max_shard_size = "0";
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> replicas;
  std::optional<std::int64_t> images, timesteps;
  bool resume = false, exports = false, curve = false, bpd = false, tf32 = false, quiet = false, force = false,
       help = false;
};

/// Throws std::invalid_argument for an unknown option (with the nearest one), a missing value, a repeated option, and
/// an option that has no effect in the selected mode.
Arguments parse_arguments(const std::vector<std::string>& words);

}  // namespace sfumato
