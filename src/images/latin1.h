#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sfumato {

/// Converts UTF-8 to Latin-1; returns nothing if a character lies outside it or `utf8` is not UTF-8.
std::optional<std::string> latin1_from_utf8(std::string_view utf8);

std::string utf8_from_latin1(std::string_view latin1);

}  // namespace sfumato
