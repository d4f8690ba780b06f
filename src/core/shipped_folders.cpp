#include "core/shipped_folders.h"

#include <algorithm>

namespace sfumato {
namespace {

using std::filesystem::path;

path program_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

std::vector<path> shipped_folders(const std::string& name, const path& source) {
  std::vector<path> candidates;
  const auto start = program_folder();
  candidates.push_back(start.parent_path() / "share" / "sfumato" / name);
  for (auto folder = start; folder.has_relative_path(); folder = folder.parent_path())
    candidates.push_back(folder / name);
  if (!source.empty()) candidates.push_back(source / name);
  std::vector<path> folders;
  for (const auto& candidate : candidates) {
    const auto is_candidate = [&](const path& folder) { return std::filesystem::equivalent(folder, candidate); };
    if (std::filesystem::is_directory(candidate) && std::none_of(folders.begin(), folders.end(), is_candidate))
      folders.push_back(candidate);
  }
  return folders;
}

}  // namespace sfumato
