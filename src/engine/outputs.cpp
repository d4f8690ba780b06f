#include "engine/outputs.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "core/files.h"
#include "images/write.h"

namespace sfumato {
namespace {

using std::filesystem::path;

constexpr const char* kDefaultFolder = "out";

[[noreturn]] void refuse(const path& output, const std::string& why) {
  throw std::invalid_argument("output '" + output.string() + "': " + why);
}

/// Replaces every {word}; `value` gives its text, or throws.
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

/// The highest NNNN of the files NNNN-... in `folder`; 0 where there is none.
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

path nearest_existing_folder(const path& output) {
  auto folder = std::filesystem::absolute(output).parent_path();
  std::error_code error;
  while (!std::filesystem::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  return folder;
}

/// access() tells nothing for root and of read-only file systems; an attempt does, under the name that the file has
/// while it is written, which is the longest.
void try_to_write(const path& output, const path& folder) {
  auto probe = folder / output.filename();
  probe += "." + std::to_string(::getpid()) + kTemporarySuffix;
  errno = 0;
  const bool written = std::ofstream(probe).is_open();
  const int error = errno;
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  if (!written) refuse(output, std::string("cannot be written: ") + std::strerror(error));
}

}  // namespace

void check_writable(const path& output, bool force) {
  std::error_code error;  // a name that is too long is found below
  const auto status = std::filesystem::status(output, error);
  if (std::filesystem::is_directory(status)) refuse(output, "is a folder");
  if (std::filesystem::exists(status)) {
    if (!std::filesystem::is_regular_file(status)) refuse(output, "is no regular file");
    if (!force) refuse(output, "exists already (--force overwrites it)");
  }
  const auto folder = nearest_existing_folder(output);
  if (!std::filesystem::is_directory(folder)) refuse(output, "'" + folder.string() + "' is no folder");
  try_to_write(output, folder);
}

path preview_name(const path& output) {
  auto name = output;
  return name.replace_extension(".preview.png");
}

OutputNames::OutputNames(const std::string& pattern, std::size_t pictures) : pattern_(pattern) {
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
  if (pictures > 1 && !differs)
    pattern_.insert(pattern_.size() - path(pattern_).extension().string().size(), "-{index}");
}

path OutputNames::name(std::size_t index, std::uint64_t seed) const {
  return expand(pattern_, [&](const std::string& word) {
    return word == "seed" ? std::to_string(seed) : padded(first_ + static_cast<std::int64_t>(index), digits_);
  });
}

}  // namespace sfumato
