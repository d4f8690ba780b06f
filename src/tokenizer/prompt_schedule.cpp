#include "tokenizer/prompt_schedule.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <string_view>

#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// Brackets nested more deeply are text: each level costs a call, and no real prompt has so many.
constexpr int kDeepest = 100;

struct Passage;
using Passages = std::vector<Passage>;

/// Text, or the choices of a bracket.
struct Passage {
  std::string text = {};
  std::vector<Passages> choices = {};
  /// Last step of the first of two choices; without it the choices take turns.
  std::optional<std::int64_t> last = {};
};

/// Converts `when` to steps; returns nothing if it is no number.
std::optional<std::int64_t> last_step(std::string_view when, std::int64_t steps) {
  const auto number = trim(when);
  const auto unsigned_number = number.starts_with('+') ? number.substr(1) : number;
  double value = 0;
  const auto* end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(unsigned_number.data(), end, value);
  if (unsigned_number.find_first_not_of("-.0123456789eE") != std::string_view::npos) return std::nullopt;
  if (error != std::errc() || stopped != end) return std::nullopt;
  if (number.find('.') != std::string_view::npos) value *= static_cast<double>(steps);
  return static_cast<std::int64_t>(std::clamp(value, -1.0, static_cast<double>(steps)));
}

class ScheduleParser {
 public:
  ScheduleParser(std::string_view text, std::int64_t steps) : text_(text), steps_(steps) {}

  /// Parses the prompt; returns nothing if it must stay unchanged.
  std::optional<Passages> parse() {
    Passages passages;
    while (at_ < text_.size()) {
      if (take_bracket(passages, 0)) continue;
      if (text_[at_] == '|') return std::nullopt;
      if (is_mark(text_[at_])) {
        add_text(passages, at_, at_ + 1);
        ++at_;
      } else if (!take_plain(passages)) {
        return std::nullopt;
      }
    }
    return passages;
  }

 private:
  static bool is_mark(char c) { return std::string_view("()[]:|").find(c) != std::string_view::npos; }

  void add_text(Passages& passages, std::size_t begin, std::size_t end) {
    if (passages.empty() || !passages.back().choices.empty()) passages.push_back({});
    passages.back().text += text_.substr(begin, end - begin);
  }

  /// Takes text up to the next unescaped mark; returns false for a backslash at the end.
  bool take_plain(Passages& passages) {
    const auto begin = at_;
    for (; at_ < text_.size() && !is_mark(text_[at_]); ++at_) {
      if (text_[at_] == '\\' && ++at_ == text_.size()) return false;
    }
    add_text(passages, begin, at_);
    return true;
  }

  /// Takes everything up to a mark that does not open a valid bracket.
  bool take_prompt(Passages& passages, int depth) {
    while (at_ < text_.size()) {
      if (text_[at_] == '(' || text_[at_] == '[') {
        if (!take_bracket(passages, depth + 1)) return false;
      } else if (is_mark(text_[at_])) {
        return true;
      } else if (!take_plain(passages)) {
        return false;
      }
    }
    return false;  // the enclosing bracket is not closed
  }

  /// Takes a bracket with its contents, or takes nothing and returns false.
  bool take_bracket(Passages& passages, int depth) {
    const auto begin = at_;
    const bool square = text_[at_] == '[';
    if ((!square && text_[at_] != '(') || depth > kDeepest) return false;
    std::vector<Passages> held;
    std::vector<std::size_t> marks = {at_};  // the opening bracket, the separators, the closing bracket
    do {
      ++at_;
      if (!take_prompt(held.emplace_back(), depth)) break;
      marks.push_back(at_);
    } while (text_[at_] == ':' || text_[at_] == '|');
    const bool closed = marks.size() == held.size() + 1 && text_[at_] == (square ? ']' : ')');
    if (closed && (square ? add_square(passages, held, marks) : add_round(passages, held, marks))) return ++at_, true;
    at_ = begin;
    return false;
  }

  bool all_separators_are(char separator, const std::vector<std::size_t>& marks) const {
    return std::all_of(marks.begin() + 1, marks.end() - 1, [&](std::size_t at) { return text_[at] == separator; });
  }

  /// Adds the contents with their brackets, which are kept for the weights.
  void add_with_marks(Passages& passages, std::vector<Passages>& held, const std::vector<std::size_t>& marks) {
    for (std::size_t i = 0; i < held.size(); ++i) {
      add_text(passages, marks[i], marks[i] + 1);
      std::move(held[i].begin(), held[i].end(), std::back_inserter(passages));
    }
    add_text(passages, marks.back(), marks.back() + 1);
  }

  bool add_round(Passages& passages, std::vector<Passages>& held, const std::vector<std::size_t>& marks) {
    if (held.size() > 2 || !all_separators_are(':', marks)) return false;
    add_with_marks(passages, held, marks);
    return true;
  }

  bool add_square(Passages& passages, std::vector<Passages>& held, const std::vector<std::size_t>& marks) {
    if (held.size() == 1) {
      add_with_marks(passages, held, marks);
    } else if (all_separators_are('|', marks)) {
      passages.push_back({.choices = std::move(held)});
    } else {
      const auto when = marks[marks.size() - 2] + 1;
      const auto last = last_step(text_.substr(when, marks.back() - when), steps_);
      if (!last || held.size() > 3 || !all_separators_are(':', marks)) return false;
      held.pop_back();
      if (held.size() == 1) held.insert(held.begin(), Passages());
      passages.push_back({.choices = std::move(held), .last = last});
    }
    return true;
  }

  std::string_view text_;
  std::int64_t steps_;
  std::size_t at_ = 0;
};

/// Appends the text of step `step`, counted from 1.
void say(const Passages& passages, std::int64_t step, std::string& said) {
  for (const auto& passage : passages) {
    said += passage.text;
    if (passage.choices.empty()) continue;
    const auto turn = static_cast<std::size_t>(step - 1) % passage.choices.size();
    say(passage.choices[passage.last ? step > *passage.last : turn], step, said);
  }
}

}  // namespace

std::vector<std::string> texts_of_steps(const std::string& prompt, std::int64_t steps) {
  const auto passages = ScheduleParser(prompt, steps).parse();
  std::vector<std::string> texts;
  for (std::int64_t step = 1; step <= steps; ++step) {
    auto& said = texts.emplace_back();
    passages ? say(*passages, step, said) : void(said = prompt);
  }
  return texts;
}

}  // namespace sfumato
