#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace sfumato {

using Json = nlohmann::json;

/// Parses a JSON file. Throws std::runtime_error naming the path and what is wrong with it.
Json read_json(const std::filesystem::path& path);

/// Writes two-space indented JSON atomically.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& value);

/// `object[key]` as T; `fallback` where the key is missing or null. Throws std::invalid_argument that names the key,
/// its value and the type expected.
template <class T>
T value_or(const Json& object, const std::string& key, T fallback) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return found->template get<T>();
  } catch (const Json::exception& error) {
    throw std::invalid_argument("'" + key + "' is " + found->dump() + ": " + error.what());
  }
}

/// The nearest of `candidates` by edit distance, or "" where none is near (more than a third of the word differs).
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// Throws std::invalid_argument for a key of `object` outside `known`, suggesting the nearest; `where` says which
/// part of which file it stands in.
void refuse_unknown_keys(const Json& object, const std::vector<std::string>& known, const std::string& where);

}  // namespace sfumato
