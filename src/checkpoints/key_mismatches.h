#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// Mismatches between the keys of a file and those of a module, by kind, for an error that lists all at once.
class KeyMismatches {
 public:
  /// Adds nothing if `keys` is empty. `kind` is a word such as "missing".
  void add(const std::string& kind, const std::vector<std::string>& keys);
  bool empty() const { return text_.empty(); }
  /// Text such as "2 missing: a, b; 1 unexpected: c": up to 20 keys of each kind, and their number.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace sfumato
