#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// True if a prompt contains {a|b} or __name__.
bool has_choices(const std::string& prompt);

/// Replaces each {a|b|0.5::c} of a prompt by one of its options, by their weights (1), and each __name__ by a line of
/// `folder`/name.txt; the two can be nested. The choices depend only on the prompt, the folder and `seed`. Throws
/// std::invalid_argument for a name without a file, an empty file, and files that refer to each other in a cycle.
std::string choose(const std::string& prompt, std::uint64_t seed, const std::filesystem::path& folder);

/// Splits requests whose prompts contain choices into one for each image, each chosen by its own seed. Prompts in plain
/// syntax are left unchanged.
std::vector<Request> with_choices(const std::vector<Request>& requests, const std::filesystem::path& folder);

}  // namespace sfumato
