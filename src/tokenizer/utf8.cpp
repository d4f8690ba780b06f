#include "tokenizer/utf8.h"

#include <utf8proc.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace sfumato {
namespace {

/// Reads the code point at `position`; returns its length in bytes, or a negative number if it is invalid.
std::ptrdiff_t read_code_point(std::string_view text, std::size_t position, utf8proc_int32_t& code_point) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  return utf8proc_iterate(bytes + position, static_cast<utf8proc_ssize_t>(text.size() - position), &code_point);
}

void append(std::string& out, utf8proc_int32_t code_point) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(code_point, bytes.data());
  out.append(bytes.begin(), bytes.begin() + size);
}

/// Unicode's property White_Space: the separators, and the control characters U+0009 to U+000D and U+0085.
bool is_white_space(utf8proc_int32_t code_point) {
  if ((code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x85) return true;
  const auto category = utf8proc_category(code_point);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/// The regular expression \w of Unicode's annex 18.
bool is_word_character(utf8proc_int32_t code_point) {
  switch (utf8proc_category(code_point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return code_point == 0x200C || code_point == 0x200D;
  }
}

/// Returns the start of the last code point of valid UTF-8.
std::size_t last_code_point(std::string_view text) {
  auto at = text.size() - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

}  // namespace

void require_utf8(std::string_view text) {
  utf8proc_int32_t code_point = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto size = read_code_point(text, i, code_point);
    if (size <= 0) {
      std::array<char, 96> message{};
      std::snprintf(message.data(), message.size(), "the prompt is not UTF-8: byte 0x%02x at position %zu",
                    static_cast<unsigned>(static_cast<unsigned char>(text[i])), i);
      throw std::invalid_argument(message.data());
    }
    i += static_cast<std::size_t>(size);
  }
}

std::string to_nfc(std::string_view text) {
  utf8proc_uint8_t* composed = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &composed, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (size < 0) throw std::runtime_error(std::string("NFC normalisation: ") + utf8proc_errmsg(size));
  return {reinterpret_cast<const char*>(composed), static_cast<std::size_t>(size)};
}

std::string collapse_white_space(std::string_view text) {
  std::string collapsed;
  collapsed.reserve(text.size());
  bool in_white_space = false;
  utf8proc_int32_t code_point = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto size = static_cast<std::size_t>(read_code_point(text, i, code_point));
    const bool white_space = is_white_space(code_point);
    if (!white_space) collapsed.append(text.substr(i, size));
    if (white_space && !in_white_space) collapsed += ' ';
    in_white_space = white_space;
    i += size;
  }
  return collapsed;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

std::string to_lower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  utf8proc_int32_t code_point = 0;
  for (std::size_t i = 0; i < text.size();) {
    i += static_cast<std::size_t>(read_code_point(text, i, code_point));
    if (code_point == 0x130) {
      lower += "i\u0307";  // the only lower case of two code points; utf8proc maps only one to one
    } else {
      append(lower, utf8proc_tolower(code_point));
    }
  }
  return lower;
}

bool starts_with_word(std::string_view text) {
  utf8proc_int32_t code_point = 0;
  return !text.empty() && read_code_point(text, 0, code_point) > 0 && is_word_character(code_point);
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && starts_with_word(text.substr(last_code_point(text)));
}

std::size_t white_space_at_start(std::string_view text) {
  std::size_t at = 0;
  utf8proc_int32_t code_point = 0;
  while (at < text.size()) {
    const auto size = read_code_point(text, at, code_point);
    if (!is_white_space(code_point)) break;
    at += static_cast<std::size_t>(size);
  }
  return at;
}

std::size_t white_space_at_end(std::string_view text) {
  auto end = text.size();
  utf8proc_int32_t code_point = 0;
  while (end > 0) {
    const auto at = last_code_point(text.substr(0, end));
    read_code_point(text, at, code_point);
    if (!is_white_space(code_point)) break;
    end = at;
  }
  return text.size() - end;
}

}  // namespace sfumato
