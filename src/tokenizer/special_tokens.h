#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A token that is matched in the text before the tokenizer's own rules apply.
struct SpecialToken {
  std::string content;
  /// Matched in the normalised text (for CLIP in upper or lower case) instead of the original text.
  bool normalized = false;
  std::int64_t id = -1;
  /// Number of ids for it: `id` and those after it.
  std::int64_t count = 1;
  /// Not matched next to a character of a word (transformers' AddedToken).
  bool single_word = false;
  /// Not matched within a longer word; a neighbour matters only if the token's own edge belongs to a word.
  bool whole_word = false;
  /// Includes the white space before it (lstrip), or after it (rstrip).
  bool lstrip = false, rstrip = false;
};

/// A stretch of text between special tokens, or a special token (id >= 0).
struct Segment {
  std::string_view text;
  std::int64_t id = -1;
  std::int64_t count = 0;

  /// Appends its ids to `ids` if it is a token.
  void append_to(std::vector<std::int64_t>& ids) const {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(id + i);
  }
};

/// Splits `text` at the leftmost, then longest, special tokens with the given `normalized` flag. Empty stretches are
/// skipped.
std::vector<Segment> split_at_special_tokens(std::string_view text, const std::vector<SpecialToken>& tokens,
                                             bool normalized);

}  // namespace sfumato
