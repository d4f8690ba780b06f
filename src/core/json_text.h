#pragma once

#include <stdexcept>
#include <string>

#include "core/json.h"

namespace sfumato {

/// `text` without the JSON library's marks, as "[json.exception.type_error.302] ", for messages to users.
std::string without_library_marks(std::string text);

/// `object[key]` as T. Throws std::invalid_argument as value_or does, and where the key is missing or null.
template <class T>
T value_at(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) throw std::invalid_argument("'" + key + "' is missing");
  return value_or<T>(object, key, T{});
}

}  // namespace sfumato
