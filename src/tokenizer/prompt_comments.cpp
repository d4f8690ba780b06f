#include "tokenizer/prompt_comments.h"

#include "tokenizer/regex.h"

namespace sfumato {
namespace {

/// Replaces each match by a line break.
std::string broken_at(const std::string& text, const Regex& pattern) {
  std::string result;
  std::size_t begin = 0;
  for (const auto& match : pattern.matches(text)) {
    const auto at = static_cast<std::size_t>(match.data() - text.data());
    result += text.substr(begin, at - begin) + "\n";
    begin = at + match.size();
  }
  return result + text.substr(begin);
}

}  // namespace

std::string without_comments(const std::string& prompt) {
  if (prompt.find('#') == std::string::npos) return prompt;
  // Of several such lines in a row, the match of the first one includes the second one's line break: every other line
  // is left to the second pattern.
  const auto lines = broken_at(prompt, Regex(R"((^|\n)#[^\n]*(\n|$))"));
  return broken_at(lines, Regex(R"(#[^\n]*(\n|$))"));
}

}  // namespace sfumato
