#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// What does not fit between a file and the tensors it is for, by kind, as an error lists it all at once.
class KeyFaults {
 public:
  /// Nothing where `keys` is empty. `kind` is a word such as "missing".
  void add(const std::string& kind, const std::vector<std::string>& keys);
  bool empty() const { return text_.empty(); }
  /// "2 missing: a, b; 1 unexpected: c": 20 keys of each kind, and their number.
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace sfumato
