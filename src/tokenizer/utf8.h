#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sfumato {

/// Throws std::invalid_argument naming the first byte of `text` that is not UTF-8 and its position. Surrogates,
/// overlong forms and code points above U+10FFFF are not UTF-8.
void require_utf8(std::string_view text);

/// Converts valid UTF-8 to normalisation form C. Composition is limited to the Unicode version of utf8proc.
std::string to_nfc(std::string_view text);

/// Replaces each run of Unicode white space by one space.
std::string collapse_white_space(std::string_view text);

/// Returns `text` without ASCII white space at both ends.
std::string_view trim(std::string_view text);

/// Converts each code point to lower case as Rust's char::to_lowercase does: without context (capital sigma always
/// becomes σ), and U+0130 becomes two code points.
std::string to_lower(std::string_view text);

/// True if valid UTF-8 begins, or ends, with a character of a word: a letter, mark, digit or connecting punctuation.
bool starts_with_word(std::string_view text);
bool ends_with_word(std::string_view text);

/// Number of bytes of Unicode white space at the start, or the end, of valid UTF-8.
std::size_t white_space_at_start(std::string_view text);
std::size_t white_space_at_end(std::string_view text);

}  // namespace sfumato
