#include "checkpoints/key_mismatches.h"

#include <algorithm>

namespace sfumato {

void KeyMismatches::add(const std::string& kind, const std::vector<std::string>& keys) {
  constexpr std::size_t kShown = 6;
  if (keys.empty()) return;
  text_ += (text_.empty() ? "" : "; ") + std::to_string(keys.size()) + " " + kind + ": ";
  for (std::size_t i = 0; i < std::min(keys.size(), kShown); ++i) text_ += (i == 0 ? "" : ", ") + keys[i];
  if (keys.size() > kShown) text_ += ", ...";
}

}  // namespace sfumato
