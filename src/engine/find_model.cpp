#include "engine/find_model.h"

#include <cstdlib>
#include <stdexcept>

#include "core/shipped_folders.h"

namespace sfumato {

using std::filesystem::path;

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
