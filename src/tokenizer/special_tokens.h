#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A token that is found in the text as it stands, before the tokenizer's own rules see it.
struct SpecialToken {
  std::string content;
  /// Looked for in the normalised text (in any case, for CLIP) instead of in the text as given.
  bool normalized = false;
  std::int64_t id = -1;
  /// How many ids it stands for: `id` and those after it.
  std::int64_t count = 1;
  /// Not found next to a character of a word (transformers' AddedToken).
  bool single_word = false;
  /// Not found within a longer word; a neighbour counts only where the token's own edge belongs to a word.
  bool whole_word = false;
  /// Takes the white space before it, and after it.
  bool lstrip = false, rstrip = false;
};

/// A stretch of text between special tokens, or one of these (id >= 0).
struct Segment {
  std::string_view text;
  std::int64_t id = -1;
  std::int64_t count = 0;

  /// Its ids, where it is a token, at the end of `ids`.
  void append_to(std::vector<std::int64_t>& ids) const {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(id + i);
  }
};

/// Cuts `text` at the leftmost, then longest, special tokens whose `normalized` flag is as asked. Empty stretches are
/// left out.
std::vector<Segment> split_at_special_tokens(std::string_view text, const std::vector<SpecialToken>& tokens,
                                             bool normalized);

}  // namespace sfumato
