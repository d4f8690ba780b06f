#pragma once

#include <cstddef>
#include <string>

namespace sfumato {

/// `text` or, where it has more than `longest` bytes, as many of them and "...", cut between characters of UTF-8.
std::string shortened(const std::string& text, std::size_t longest);

}  // namespace sfumato
