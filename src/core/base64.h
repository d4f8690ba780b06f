#pragma once

#include <string>

namespace sfumato {

/// Decodes base64 (RFC 4648), up to its padding. Throws std::runtime_error with `name` for another character.
std::string from_base64(const std::string& text, const std::string& name);

}  // namespace sfumato
