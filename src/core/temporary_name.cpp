#include "core/temporary_name.h"

#include <unistd.h>

#include <climits>

#include "core/shortened.h"

namespace sfumato {

std::filesystem::path temporary_name(const std::filesystem::path& path, const std::string& extension) {
  const auto suffix = "." + std::to_string(::getpid()) + kTemporarySuffix + extension;
  return path.parent_path() / (first_bytes(path.filename().string(), NAME_MAX - suffix.size()) + suffix);
}

}  // namespace sfumato
