#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sfumato {

/// What `train --help` prints.
extern const char* const kUsage;

/// The command line of `train`.
struct Arguments {
  std::vector<std::string> positional;
  std::vector<std::string> settings;
  std::set<std::string> given;  ///< the names of the options
  std::string out, init_from;
  std::string device = "auto", dtype = "fp16", max_shard_size = "0";
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> replicas;
  std::optional<std::int64_t> images, timesteps;
  bool resume = false, exports = false, curve = false, bpd = false, tf32 = false, quiet = false, force = false,
       help = false;
};

/// Throws std::invalid_argument for an unknown option, with the nearest one, one without its value or given twice, and
/// one that does nothing in the mode that is asked for.
Arguments parse_arguments(const std::vector<std::string>& words);

}  // namespace sfumato
