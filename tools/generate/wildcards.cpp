#include "generate/wildcards.h"

#include <charconv>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {
namespace {

constexpr int kDeepest = 20;

/// Used for choices only: it generates the same numbers on every machine.
using Generator = std::mt19937_64;

const std::regex& wildcard_pattern() {
  static const std::regex pattern(R"(__([A-Za-z0-9][A-Za-z0-9_./ -]*?)__)");
  return pattern;
}

/// An option of {a|b}.
struct Option {
  std::string text;
  double weight = 1;
};

/// Removes "0.5::" from the front.
Option option_of(const std::string& text) {
  const auto colons = text.find("::");
  if (text.find("$$") != std::string::npos)
    throw std::invalid_argument("'{" + text + "|...}': several of the options at once ($$) are not supported");
  if (colons == std::string::npos) return {text};
  double weight = 0;
  const auto* end = text.data() + colons;
  const auto [stopped, error] = std::from_chars(text.data() + text.find_first_not_of(' '), end, weight);
  if (error != std::errc() || stopped != end) return {text};
  if (!(weight >= 0)) throw std::invalid_argument("'{" + text + "|...}': expected a weight that is not negative");
  return {text.substr(colons + 2), weight};
}

/// Positions of the brace that closes the one at `open`, and of the bars on its level; none if it is not closed.
struct Braces {
  std::size_t close = 0;
  std::vector<std::size_t> bars{};
};

Braces match(const std::string& prompt, std::size_t open) {
  Braces braces;
  int depth = 0;
  for (auto at = open; at < prompt.size(); ++at) {
    if (prompt[at] == '{') ++depth;
    if (prompt[at] == '|' && depth == 1) braces.bars.push_back(at);
    if (prompt[at] == '}' && --depth == 0) return braces.close = at, braces;
  }
  return {};  // an unclosed brace is an ordinary letter
}

class Chooser {
 public:
  Chooser(std::uint64_t seed, std::filesystem::path folder) : generator_(seed), folder_(std::move(folder)) {}

  std::string expand(const std::string& prompt, int depth = 0) {
    if (depth > kDeepest) throw std::invalid_argument("wildcards in '" + folder_.string() + "' name each other");
    return with_wildcards(with_options(prompt, depth), depth);
  }

 private:
  /// Returns a number in [0, 1).
  double draw() { return static_cast<double>(generator_() >> 11) * 0x1p-53; }

  std::string pick(const std::vector<Option>& options) {
    double all = 0;
    for (const auto& option : options) all += option.weight;
    if (all <= 0) throw std::invalid_argument("'{" + options.front().text + "|...}': expected a weight above 0");
    double at = draw() * all;
    for (const auto& option : options)
      if ((at -= option.weight) < 0) return option.text;
    return options.back().text;
  }

  std::string with_options(const std::string& prompt, int depth) {
    std::string text;
    for (std::size_t at = 0; at < prompt.size();) {
      const auto braces = prompt[at] == '{' ? match(prompt, at) : Braces();
      if (braces.bars.empty()) {
        text += prompt[at++];
        continue;
      }
      std::vector<Option> options;
      auto begin = at + 1;
      for (const auto bar : braces.bars) {
        options.push_back(option_of(prompt.substr(begin, bar - begin)));
        begin = bar + 1;
      }
      options.push_back(option_of(prompt.substr(begin, braces.close - begin)));
      text += expand(pick(options), depth + 1);
      at = braces.close + 1;
    }
    return text;
  }

  std::string with_wildcards(const std::string& prompt, int depth) {
    std::string text;
    auto begin = prompt.cbegin();
    for (std::sregex_iterator found(prompt.begin(), prompt.end(), wildcard_pattern()), end; found != end; ++found) {
      text.append(begin, (*found)[0].first);
      text += expand(pick(lines_of((*found)[1])), depth + 1);
      begin = (*found)[0].second;
    }
    return text.append(begin, prompt.cend());
  }

  std::vector<Option> lines_of(const std::string& name) const {
    const auto path = folder_ / (name + ".txt");
    if (name.find("..") != std::string::npos || !std::filesystem::is_regular_file(path))
      throw std::invalid_argument("__" + name + "__: no " + name + ".txt in '" + folder_.string() +
                                  "' (--wildcards names another folder)");
    std::vector<Option> lines;
    std::istringstream text(read_file(path));
    for (std::string line; std::getline(text, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty() && line[0] != '#') lines.push_back({line});
    }
    if (lines.empty()) throw std::invalid_argument("wildcard file '" + path.string() + "' holds no line");
    return lines;
  }

  Generator generator_;
  std::filesystem::path folder_;
};

}  // namespace

bool has_choices(const std::string& prompt) {
  for (auto open = prompt.find('{'); open != std::string::npos; open = prompt.find('{', open + 1))
    if (!match(prompt, open).bars.empty()) return true;
  return std::regex_search(prompt, wildcard_pattern());
}

std::string choose(const std::string& prompt, std::uint64_t seed, const std::filesystem::path& folder) {
  return Chooser(seed, folder).expand(prompt);
}

std::vector<Request> with_choices(const std::vector<Request>& requests, const std::filesystem::path& folder) {
  std::vector<Request> chosen;
  for (const auto& request : requests) {
    const bool negative = request.negative_prompt && has_choices(*request.negative_prompt);
    if (request.prompt_syntax == "plain" || (!negative && !has_choices(request.prompt))) {
      chosen.push_back(request);
      continue;
    }
    validate_batch_count(request);
    for (std::int64_t k = 0; k < request.batch_count; ++k) {
      auto one = part_of_batch(request, k, 1);
      one.prompt = choose(request.prompt, one.seed, folder);
      if (negative) one.negative_prompt = choose(*request.negative_prompt, one.seed, folder);
      chosen.push_back(std::move(one));
    }
  }
  return chosen;
}

}  // namespace sfumato
