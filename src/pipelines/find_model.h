#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// The model that is taken where none is named.
inline constexpr const char* kDefaultModel = "sfumato-emoji-128";

/// Folders that models are looked for in by name: $SFUMATO_MODELS alone where it is set; else share/sfumato/models of
/// the installation that this program is in, then models/ beside this program or in a folder above it, then
/// `source_models` (models/ of the sources it was built from; may be empty).
std::vector<std::filesystem::path> model_roots(const std::filesystem::path& source_models);

/// The folder of a model: `name` itself where it is a path to a folder, else the first of that name under `roots`; ""
/// is kDefaultModel. Throws std::runtime_error naming the places looked at.
std::filesystem::path find_model(const std::string& name, const std::vector<std::filesystem::path>& roots);

}  // namespace sfumato
