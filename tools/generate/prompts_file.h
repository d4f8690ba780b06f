#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// Returns the prompts of a file, one a line without empty ones; "-" reads standard input. Throws std::invalid_argument
/// for a file without prompts, and std::runtime_error for one that cannot be read.
std::vector<std::string> read_prompts(const std::string& path);

}  // namespace sfumato
