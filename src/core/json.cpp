#include "core/json.h"

#include <algorithm>
#include <numeric>
#include <ostream>
#include <stdexcept>
#include <string_view>

#include "core/files.h"
#include "core/json_text.h"
#include "core/shortened.h"

namespace sfumato {
namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

/// Replaces numbers that Python's json writes and JSON lacks, such as diffusers' "lambda_min_clipped": -Infinity, by
/// null.
std::string with_nulls_for_infinities(std::string text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') ++i;
    if (quoted) continue;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (text.compare(i, word.size(), word) == 0) text.replace(i, word.size(), "null");
    }
  }
  return text;
}

/// Returns what the JSON library expected of a value, in the words of strictly().
std::string expectation(const std::string& what) {
  static const std::vector<std::pair<std::string, std::string>> types = {{"boolean", "expected true or false"},
                                                                         {"string", "expected a string"},
                                                                         {"number", "expected a number"},
                                                                         {"array", "expected a list"},
                                                                         {"object", "expected an object"}};
  for (const auto& [type, expected] : types)
    if (what.find("type must be " + type) != std::string::npos) return expected;
  return without_library_marks(what);
}

}  // namespace

std::string without_library_marks(std::string text) {
  constexpr std::string_view kMark = "[json.exception.";
  for (auto at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at)) {
    const auto end = text.find("] ", at);
    if (end == std::string::npos) break;
    text.erase(at, end + 2 - at);
    if (constexpr std::string_view kParse = "parse error at "; text.compare(at, kParse.size(), kParse) == 0)
      text.erase(at, kParse.size());
  }
  return text;
}

void detail::refuse_value(const std::string& key, const Json& value, const std::string& what) {
  const auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  throw std::invalid_argument("'" + key + "' is " + shortened(text, 80) + ": " + expectation(what));
}

Json read_json(const std::filesystem::path& path) {
  const auto text = read_file(path);
  try {
    return Json::parse(with_nulls_for_infinities(text));
  } catch (const Json::parse_error& error) {
    // The parser quotes the token it failed at, however long.
    throw std::runtime_error("'" + path.string() +
                             "' is not valid JSON: " + shortened(without_library_marks(error.what()), 200));
  }
}

void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& value) {
  write_file_atomically(path, [&](std::ostream& out) { out << value.dump(2) << '\n'; });
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

void refuse_unknown_keys(const Json& object, const std::vector<std::string>& known, const std::string& where) {
  if (!object.is_object())
    throw std::invalid_argument(where + ": expected an object, got " + shortened(object.dump(), 80));
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto suggestion = nearest(key, known);
    throw std::invalid_argument(where + ": unknown key '" + key + "'" +
                                (suggestion.empty() ? "" : "; did you mean '" + suggestion + "'?"));
  }
}

}  // namespace sfumato
