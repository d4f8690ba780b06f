#include "tokenizer/prompt_weights.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "tokenizer/regex.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

constexpr std::string_view kMarks = "\\()[]:";
constexpr std::string_view kBlanks = " \t\n\v\f\r";
constexpr double kBracket = 1.1;

/// Parses the number in ": 1.3 )" at the start of `text`, and stores the length through the bracket in `length`.
std::optional<double> closing_weight(std::string_view text, std::size_t& length) {
  const auto end = text.find(')');
  if (end == std::string_view::npos) return std::nullopt;
  auto digits = trim(text.substr(1, end - 1));
  if (digits.find_first_not_of("+-.0123456789") != std::string_view::npos) return std::nullopt;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double weight = 0;
  const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (error != std::errc() || stopped != digits.data() + digits.size()) return std::nullopt;
  length = end + 1;
  return weight;
}

class WeightParser {
 public:
  explicit WeightParser(std::string_view text) : rest_(text) {}

  std::vector<WeightedText> parse() {
    while (!rest_.empty()) take_next();
    while (!round_.empty()) close(round_, kBracket);
    while (!square_.empty()) close(square_, 1 / kBracket);
    if (texts_.empty()) texts_.push_back({});
    return merged();
  }

 private:
  std::string_view take(std::size_t count) {
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  void take_next() {
    std::size_t length = 0;
    const char mark = rest_.front();
    if (mark == '\\') {
      take(1);
      if (!rest_.empty() && kMarks.substr(0, 5).find(rest_.front()) != std::string_view::npos) add(take(1));
    } else if (mark == '(' || mark == '[') {
      (mark == '(' ? round_ : square_).push_back(texts_.size());
      take(1);
    } else if (const auto weight = mark == ':' && !round_.empty() ? closing_weight(rest_, length) : std::nullopt) {
      close(round_, *weight);
      take(length);
    } else if ((mark == ')' && !round_.empty()) || (mark == ']' && !square_.empty())) {
      mark == ')' ? close(round_, kBracket) : close(square_, 1 / kBracket);
      take(1);
    } else {
      add_words(take(std::max<std::size_t>(1, std::min(rest_.find_first_of(kMarks), rest_.size()))));
    }
  }

  void add(std::string_view text) { texts_.push_back({.text = std::string(text)}); }

  void add_words(std::string_view text) {
    static const Regex kBreak(R"(\bBREAK\b)");
    const auto breaks = kBreak.matches(text);
    const auto* begin = text.data();
    for (const auto& found : breaks) {
      add_part(text, begin, found.data());
      texts_.push_back({.is_break = true});
      begin = found.data() + found.size();
    }
    add_part(text, begin, text.data() + text.size());
  }

  /// Adds the text between two BREAKs, without the white space next to them.
  void add_part(std::string_view text, const char* begin, const char* end) {
    std::string_view part(begin, static_cast<std::size_t>(end - begin));
    if (begin != text.data()) part.remove_prefix(std::min(part.find_first_not_of(kBlanks), part.size()));
    if (end != text.data() + text.size()) part = part.substr(0, part.find_last_not_of(kBlanks) + 1);
    add(part);
  }

  void close(std::vector<std::size_t>& open, double weight) {
    for (auto i = open.back(); i < texts_.size(); ++i) texts_[i].weight *= weight;
    open.pop_back();
  }

  std::vector<WeightedText> merged() {
    std::vector<WeightedText> runs;
    for (auto& next : texts_) {
      if (next.is_break) next.weight = 1;
      const bool joins = !runs.empty() && !next.is_break && !runs.back().is_break && runs.back().weight == next.weight;
      joins ? void(runs.back().text += next.text) : runs.push_back(std::move(next));
    }
    return runs;
  }

  std::string_view rest_;
  std::vector<WeightedText> texts_;
  std::vector<std::size_t> round_, square_;  // where the contents of the open brackets begin
};

}  // namespace

std::vector<WeightedText> parse_weights(std::string_view prompt) {
  return WeightParser(prompt).parse();
}

}  // namespace sfumato
