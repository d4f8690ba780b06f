#include "engine/find_model.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

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

std::vector<path> model_roots(const path& source) {
  if (const char* root = std::getenv("SFUMATO_MODELS"); root != nullptr && *root != '\0') return {root};
  return shipped_folders("models", source);
}

path find_model(const std::string& name, const std::vector<path>& roots) {
  if (!name.empty() && (std::filesystem::is_directory(name) || std::filesystem::is_regular_file(name))) return name;
  const path wanted = name.empty() ? kDefaultModel : name;
  std::string places;
  for (const auto& root : roots) {
    if (wanted.is_relative() && std::filesystem::is_directory(root / wanted)) return root / wanted;
    places += (places.empty() ? "" : ", ") + root.string();
  }
  throw std::runtime_error("model '" + wanted.string() + "': no such folder or file" +
                           (places.empty() ? "" : ", and none of that name in " + places));
}

}  // namespace sfumato
