#include "tokenizer/special_tokens.h"

#include <algorithm>
#include <cctype>

#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// True for a byte of a word; every non-ASCII character counts as a letter.
bool is_word_byte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= 0x80 || std::isalnum(value) != 0 || byte == '_';
}

/// True if a longer word begins before `begin` or ends after `end`.
bool lies_within_a_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word_byte(text[begin - 1]) && is_word_byte(text[begin]);
  const bool after = end < text.size() && is_word_byte(text[end - 1]) && is_word_byte(text[end]);
  return before || after;
}

const SpecialToken* longest_match(std::string_view text, std::size_t at, const std::vector<SpecialToken>& tokens,
                                  bool normalized) {
  const SpecialToken* longest = nullptr;
  for (const auto& token : tokens) {
    const auto& content = token.content;
    if (token.normalized != normalized || content.empty() || !text.substr(at).starts_with(content)) continue;
    if (token.whole_word && lies_within_a_word(text, at, at + content.size())) continue;
    if (longest == nullptr || content.size() > longest->content.size()) longest = &token;
  }
  return longest;
}

}  // namespace

std::vector<Segment> split_at_special_tokens(std::string_view text, const std::vector<SpecialToken>& tokens,
                                             bool normalized) {
  std::vector<Segment> segments;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto* token = longest_match(text, i, tokens, normalized);
    if (token == nullptr) {
      ++i;
      continue;
    }
    auto begin = i, end = i + token->content.size();
    i = end;
    if (token->single_word && (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) continue;
    if (token->lstrip) begin = std::max(start, begin - white_space_at_end(text.substr(0, begin)));
    if (token->rstrip) end += white_space_at_start(text.substr(end));
    if (begin > start) segments.push_back({.text = text.substr(start, begin - start)});
    segments.push_back({.text = text.substr(begin, end - begin), .id = token->id, .count = token->count});
    start = i = end;
  }
  if (start < text.size()) segments.push_back({.text = text.substr(start)});
  return segments;
}

}  // namespace sfumato
