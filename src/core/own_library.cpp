#include "core/own_library.h"

#include <system_error>

namespace sfumato {

std::filesystem::path own_library(const std::string& name) {
  std::error_code error;
  const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  return std::filesystem::exists(folder / name, error) ? folder / name : folder / "../lib/sfumato" / name;
}

}  // namespace sfumato
