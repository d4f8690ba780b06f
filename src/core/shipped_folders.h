#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// Returns the folders called `name` (models, tokenizer) that ship with this program: share/sfumato/NAME of its
/// installation, then NAME beside the program or in a folder above it, then NAME of `source` (the sources it was built
/// from; may be empty). Lists existing folders only, each once.
std::vector<std::filesystem::path> shipped_folders(const std::string& name, const std::filesystem::path& source);

}  // namespace sfumato
