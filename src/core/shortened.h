#pragma once

#include <cstddef>
#include <string>

namespace sfumato {

/// Returns the first bytes of `text`, at most `longest`, cut between characters of UTF-8.
std::string first_bytes(const std::string& text, std::size_t longest);

/// `text` or, where it has more than `longest` bytes, as many of them and "...", cut between characters of UTF-8.
std::string shortened(const std::string& text, std::size_t longest);

}  // namespace sfumato
