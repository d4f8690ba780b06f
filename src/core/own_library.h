#pragma once

#include <filesystem>
#include <string>

namespace sfumato {

/// Returns the path of one of our shared libraries, which programs load when they need it: `name` beside the program
/// or in ../lib/sfumato from there, where the build and the installation have it.
std::filesystem::path own_library(const std::string& name);

}  // namespace sfumato
