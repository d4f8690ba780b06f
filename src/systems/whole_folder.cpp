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

void copy_tokenizer_files(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from))
    if (const auto kind = entry.path().extension(); kind == ".json" || kind == ".txt" || kind == ".model")
      fs::copy_file(entry.path(), to / entry.path().filename(), fs::copy_options::overwrite_existing);
}

}  // namespace sfumato
