#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A compiled pattern (PCRE2, UTF-8, Unicode properties).
class Regex {
 public:
  /// Throws std::invalid_argument for a pattern that does not compile.
  explicit Regex(const std::string& pattern);
  ~Regex();

  /// Returns all non-empty matches in `text` (valid UTF-8), from left to right and without overlap.
  std::vector<std::string_view> matches(std::string_view text) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace sfumato
