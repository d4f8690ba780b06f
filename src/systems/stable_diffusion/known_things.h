#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// What a small model has words for: the names of the things it was trained on, each with synonyms and plurals. A
/// model that tells nothing, as those of the world at large, knows everything.
class KnownThings {
 public:
  KnownThings() = default;
  explicit KnownThings(std::map<std::string, std::vector<std::string>> words) : words_(std::move(words)) {}

  /// One line for the user that names some of the things, where `prompt` names none of them; else "". A blank prompt
  /// asks for anything. Letters of ASCII match in either case, and what is neither letter nor digit parts words.
  std::string note_for(const std::string& prompt) const;

 private:
  std::map<std::string, std::vector<std::string>> words_;
};

/// Reads {"cat": ["cats", "kitten"], ...}; without the file, nothing. Throws std::runtime_error naming the file.
KnownThings read_known_things(const std::filesystem::path& path);

}  // namespace sfumato
