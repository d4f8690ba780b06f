#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A stretch of a prompt and its weight; or, without a text, the word BREAK, behind which a new chunk starts.
struct WeightedText {
  std::string text = {};
  double weight = 1;
  bool is_break = false;

  bool operator==(const WeightedText&) const = default;
};

/// Weights as AUTOMATIC1111's web UI writes them: (more) is 1.1, (much more:1.5) as it says, [less] 1 / 1.1; nested
/// ones multiply. \( \) \[ \] \\ are the characters themselves, any other backslash is dropped. A bracket that is not
/// closed lasts to the end; one that was never opened is text. Neighbours of one weight are one stretch. White space
/// around BREAK goes with it. Within brackets it breaks as well, where the web UI makes a word of it. `prompt` is
/// valid UTF-8; there is always a stretch, for the empty prompt an empty one.
std::vector<WeightedText> parse_weights(std::string_view prompt);

}  // namespace sfumato
