#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Whether a prompt holds {a|b} or __name__.
bool has_choices(const std::string& prompt);

/// A prompt with each {a|b|0.5::c} replaced by one of its options, by their weights (1), and each __name__ by a line of
/// `folder`/name.txt; both may hold each other. The choices depend on the prompt, the folder and `seed` alone. Throws
/// std::invalid_argument for a name without a file, an empty file, and files that name each other.
std::string choose(const std::string& prompt, std::uint64_t seed, const std::filesystem::path& folder);

/// Requests whose prompts hold choices, taken apart into one an image, each chosen by its own seed; prompts in plain
/// syntax stay as they are.
std::vector<Request> with_choices(const std::vector<Request>& requests, const std::filesystem::path& folder);

}  // namespace sfumato
