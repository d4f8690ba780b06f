#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A stretch of a prompt and its weight; or, without a text, the word BREAK, after which a new chunk starts.
struct WeightedText {
  std::string text = {};
  double weight = 1;
  bool is_break = false;

  bool operator==(const WeightedText&) const = default;
};

/// Parses weights in AUTOMATIC1111's notation: (more) is 1.1, (much more:1.5) is 1.5, [less] is 1 / 1.1; nested ones
/// multiply. \( \) \[ \] \\ are the characters themselves; any other backslash is dropped. A bracket that is not closed
/// extends to the end; a closing one without an opening one is text. Adjacent texts of one weight form one stretch.
/// White space around BREAK is removed. Within brackets BREAK works too, while the web UI treats it as a word.
/// `prompt` is valid UTF-8; there is always a stretch, an empty one for the empty prompt.
std::vector<WeightedText> parse_weights(std::string_view prompt);

}  // namespace sfumato
