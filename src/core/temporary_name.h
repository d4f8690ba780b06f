#pragma once

#include <filesystem>
#include <string>

namespace sfumato {

/// Suffix of a file or folder that is being written, until it is renamed.
inline constexpr const char* kTemporarySuffix = ".part";

/// Returns the path in the same folder under which a file or folder is written: its own name, the process id,
/// kTemporarySuffix and `extension`. Its own name is cut between UTF-8 characters where the whole one would exceed the
/// file system's limit, so that each name that can be written has a temporary one.
std::filesystem::path temporary_name(const std::filesystem::path& path, const std::string& extension = "");

}  // namespace sfumato
