#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// Vocabulary of a small model: the names of the things it was trained on, each with synonyms and plurals. A general
/// model has no vocabulary and accepts every word.
class Vocabulary {
 public:
  Vocabulary() = default;
  explicit Vocabulary(std::map<std::string, std::vector<std::string>> words) : words_(std::move(words)) {}

  /// Returns one line for the user that lists some of the things if `prompt` names none, else "". A blank prompt
  /// is accepted. ASCII letters match in either case; characters other than letters and digits separate words.
  std::string note_for(const std::string& prompt) const;

 private:
  std::map<std::string, std::vector<std::string>> words_;
};

/// Reads {"cat": ["cats", "kitten"], ...}; empty without the file. Throws std::runtime_error naming the file.
Vocabulary read_vocabulary(const std::filesystem::path& path);

}  // namespace sfumato
