#pragma once

#include <string>
#include <string_view>

namespace sfumato {

/// Throws std::invalid_argument naming the first byte of `text` that is not UTF-8 and where it stands. Surrogates,
/// overlong forms and what lies beyond U+10FFFF are not UTF-8.
void require_utf8(std::string_view text);

/// Normalisation form C of valid UTF-8. Composition does not go beyond the Unicode version of utf8proc.
std::string to_nfc(std::string_view text);

/// Each run of Unicode white space to one space.
std::string collapse_white_space(std::string_view text);

/// `text` without ASCII white space at both ends.
std::string_view trim(std::string_view text);

/// Lower case code point by code point, as Rust's char::to_lowercase: no context (capital sigma always becomes σ), and
/// U+0130 becomes two code points.
std::string to_lower(std::string_view text);

}  // namespace sfumato
