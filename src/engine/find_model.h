#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// The model that is taken where none is named.
inline constexpr const char* kDefaultModel = "sfumato-emoji-128";

/// Folders called `name` (models, tokenizer) that ship with this program: share/sfumato/NAME of the installation that
/// it is in, then NAME beside the program or in a folder above it, then NAME of `source` (the sources it was built
/// from; may be empty). Those that are there, each once.
std::vector<std::filesystem::path> shipped_folders(const std::string& name, const std::filesystem::path& source);

/// Folders that models are looked for in by name: $SFUMATO_MODELS alone where it is set, else those that ship.
std::vector<std::filesystem::path> model_roots(const std::filesystem::path& source);

/// A model's folder or file: `name` itself where it is a path to one, else the first folder of that name under
/// `roots`; "" is kDefaultModel. Throws std::runtime_error naming the places looked at.
std::filesystem::path find_model(const std::string& name, const std::vector<std::filesystem::path>& roots);

}  // namespace sfumato
