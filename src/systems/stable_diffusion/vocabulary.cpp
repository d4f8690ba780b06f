#include "systems/stable_diffusion/vocabulary.h"

#include <algorithm>
#include <stdexcept>

#include "core/json.h"

namespace sfumato {
namespace {

constexpr std::size_t kExamples = 8;

bool parts_words(char c) {
  const auto byte = static_cast<unsigned char>(c);
  const bool digit = byte >= '0' && byte <= '9';
  const bool letter = (byte >= 'a' && byte <= 'z') || byte >= 0x80;
  return !digit && !letter;
}

/// Returns " words in lower case ", each separated by one space; " " for none.
std::string words_of(const std::string& text) {
  std::string words = " ";
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!parts_words(c)) {
      words += c;
    } else if (words.back() != ' ') {
      words += ' ';
    }
  }
  if (words.back() != ' ') words += ' ';
  return words;
}

}  // namespace

std::string Vocabulary::note_for(const std::string& prompt) const {
  const auto words = words_of(prompt);
  if (words_.empty() || words == " ") return "";
  const auto says = [&](const std::string& phrase) { return words.find(words_of(phrase)) != std::string::npos; };
  for (const auto& [name, others] : words_) {
    if (says(name) || std::any_of(others.begin(), others.end(), says)) return "";
  }
  std::string some;
  std::size_t index = 0;
  const auto stride = std::max<std::size_t>(1, words_.size() / kExamples);
  for (const auto& [name, others] : words_) {
    if (index++ % stride == 0) some += (some.empty() ? "" : ", ") + name;
  }
  return "the prompt names none of the " + std::to_string(words_.size()) + " things this model knows, such as " + some +
         "; its things.json lists them all";
}

Vocabulary read_vocabulary(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  const auto json = read_json(path);
  try {
    return Vocabulary(json.get<std::map<std::string, std::vector<std::string>>>());
  } catch (const Json::exception&) {
    throw std::runtime_error("'" + path.string() + "': expected an object of lists of words");
  }
}

}  // namespace sfumato
