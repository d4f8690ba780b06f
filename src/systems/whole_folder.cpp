#include "systems/whole_folder.h"

#include <unistd.h>

#include <string>

#include "core/files.h"

namespace sfumato {

namespace fs = std::filesystem;

bool write_whole_folder(const fs::path& folder, const std::function<bool(const fs::path&)>& write) {
  const auto written = fs::path(folder.string() + "." + std::to_string(::getpid()) + kTemporarySuffix);
  try {
    if (!write(written)) return fs::remove_all(written), false;
    fs::remove_all(folder);
    fs::rename(written, folder);
    return true;
  } catch (...) {
    fs::remove_all(written);
    throw;
  }
}

}  // namespace sfumato
