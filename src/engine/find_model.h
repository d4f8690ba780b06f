#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// Model used if none is given.
inline constexpr const char* kDefaultModel = "sfumato-emoji-128";

/// Returns the folders that are searched for models by name: only $SFUMATO_MODELS if it is set, else the shipped ones.
std::vector<std::filesystem::path> model_roots(const std::filesystem::path& source);

/// Returns a model's folder or file: `name` itself if it is a path to one, else the first folder of that name under
/// `roots`; "" means kDefaultModel. Throws std::runtime_error that lists the searched places.
std::filesystem::path find_model(const std::string& name, const std::vector<std::filesystem::path>& roots);

}  // namespace sfumato
