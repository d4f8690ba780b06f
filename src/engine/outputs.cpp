#include "engine/outputs.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "images/write.h"

namespace sfumato {
namespace {

using std::filesystem::path;

constexpr const char* kDefaultFolder = "out";

[[noreturn]] void refuse(const path& output, const std::string& why) {
  throw std::invalid_argument("output '" + output.string() + "': " + why);
}

/// Replaces every {word} by its text from `value`, which may throw.
template <class Value>
std::string expand(const std::string& pattern, const Value& value) {
  std::string text;
  for (std::size_t at = 0; at < pattern.size();) {
    const auto open = pattern.find('{', at);
    const auto close = pattern.find('}', open);
    if (close == std::string::npos) return text + pattern.substr(at);
    text += pattern.substr(at, open - at) + value(pattern.substr(open + 1, close - open - 1));
    at = close + 1;
  }
  return text;
}

std::string padded(std::int64_t number, int digits) {
  const auto text = std::to_string(number);
  return std::string(std::max<int>(0, digits - static_cast<int>(text.size())), '0') + text;
}

/// Returns the highest NNNN of the files NNNN-... in `folder`; 0 if there is none.
std::int64_t highest_number(const path& folder) {
  std::int64_t highest = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    const auto digits = name.find_first_not_of("0123456789");
    if (digits == std::string::npos || digits == 0 || digits > 9 || name[digits] != '-') continue;
    highest = std::max<std::int64_t>(highest, std::stoll(name));
  }
  return highest;
}

}  // namespace

path preview_name(const path& output) {
  auto name = output;
  return name.replace_extension(".preview.png");
}

path single_output_name(const std::string& pattern, std::optional<std::uint64_t> seed) {
  return expand(pattern, [&](const std::string& word) {
    if (word == "seed" && seed) return std::to_string(*seed);
    refuse(pattern,
           "'{" + word + "}' has no value here: expected " + (seed ? "{seed} or a plain name" : "a plain name"));
  });
}

OutputNames::OutputNames(const std::string& pattern, std::size_t images) : pattern_(pattern) {
  if (pattern_.empty()) {
    pattern_ = std::string(kDefaultFolder) + "/{index}-{seed}.png";
    first_ = highest_number(kDefaultFolder) + 1;
    digits_ = 4;
  }
  if (!is_writable_format(pattern_)) refuse(pattern_, "expected a name that ends in .png, .jpg, .jpeg or .webp");
  bool differs = false;
  expand(pattern_, [&](const std::string& word) {
    if (word != "seed" && word != "index") refuse(pattern_, "unknown '{" + word + "}', expected {seed} or {index}");
    return differs = true, std::string();
  });
  if (images > 1 && !differs) pattern_.insert(pattern_.size() - path(pattern_).extension().string().size(), "-{index}");
}

path OutputNames::name(std::size_t index, std::uint64_t seed) const {
  return expand(pattern_, [&](const std::string& word) {
    return word == "seed" ? std::to_string(seed) : padded(first_ + static_cast<std::int64_t>(index), digits_);
  });
}

}  // namespace sfumato
