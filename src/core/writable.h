#pragma once

#include <filesystem>

namespace sfumato {

/// Throws std::invalid_argument where a file could not be made at `path` (a missing right, a folder of that name, or
/// an existing file and not `force`), and leaves nothing behind.
void check_writable(const std::filesystem::path& path, bool force);

/// Throws std::invalid_argument where no file could be made in the folder `path`, which need not exist yet, and leaves
/// nothing behind.
void check_writable_folder(const std::filesystem::path& path);

}  // namespace sfumato
