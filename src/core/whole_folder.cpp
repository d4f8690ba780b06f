#include "core/whole_folder.h"

#include "core/temporary_name.h"

namespace sfumato {

namespace fs = std::filesystem;

namespace {

/// Returns the path without a slash at its end.
fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

/// Calls `write` with a temporary folder next to `folder`, then `finish` with the same if that returned true.
bool write_temporary(const fs::path& folder, const std::function<bool(const fs::path&)>& write,
                     const std::function<void(const fs::path&)>& finish) {
  const auto written = temporary_name(without_slash(folder));
  try {
    const bool whole = write(written);
    if (whole) finish(written);
    fs::remove_all(written);
    return whole;
  } catch (...) {
    fs::remove_all(written);
    throw;
  }
}

}  // namespace

bool write_whole_folder(const fs::path& folder, const std::function<bool(const fs::path&)>& write) {
  return write_temporary(folder, write, [&](const fs::path& written) {
    fs::remove_all(folder);
    fs::rename(written, without_slash(folder));
  });
}

bool write_into_folder(const fs::path& folder, const std::function<bool(const fs::path&)>& write) {
  return write_temporary(folder, write, [&](const fs::path& written) {
    for (const auto& entry : fs::recursive_directory_iterator(written)) {
      const auto target = folder / fs::relative(entry.path(), written);
      fs::create_directories(entry.is_directory() ? target : target.parent_path());
      if (!entry.is_directory()) fs::rename(entry.path(), target);
    }
  });
}

}  // namespace sfumato
