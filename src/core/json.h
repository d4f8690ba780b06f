#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace sfumato {

using Json = nlohmann::json;

/// Parses a JSON file; Python's Infinity, -Infinity and NaN are read as null. Throws std::runtime_error naming the path
/// and the fault.
Json read_json(const std::filesystem::path& path);

/// Writes two-space indented JSON atomically.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& value);

namespace detail {

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;

/// Converts an integer within the range of T; 2.0 is accepted as 2, since Python writes either.
template <class T>
T integer(const Json& value) {
  if (value.is_number_unsigned()) {
    if (const auto number = value.get<std::uint64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    if (const auto number = value.get<std::int64_t>(); std::in_range<T>(number)) return static_cast<T>(number);
  } else if (value.is_number_float()) {
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (const auto number = value.get<double>(); number == std::trunc(number) && std::abs(number) <= kExact)
      return integer<T>(Json(static_cast<std::int64_t>(number)));
    throw std::invalid_argument("expected an integer");
  } else {
    throw std::invalid_argument("expected an integer");
  }
  throw std::invalid_argument("expected an integer between " + std::to_string(std::numeric_limits<T>::min()) + " and " +
                              std::to_string(std::numeric_limits<T>::max()));
}

/// Converts `value` to T strictly: nlohmann's own conversion accepts true as 1, 3.7 as 3 and 2^40 as 0. Throws
/// Json::exception, or std::invalid_argument with the expected type.
template <class T>
T strictly(const Json& value) {
  if constexpr (kIsVector<T>) {
    if (!value.is_array()) throw std::invalid_argument("expected a list");
    T result;
    for (const auto& item : value) result.push_back(strictly<typename T::value_type>(item));
    return result;
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return integer<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) throw std::invalid_argument("expected a number");
    return value.get<T>();
  } else {
    return value.get<T>();
  }
}

/// Throws std::invalid_argument "'key' is VALUE: WHAT", with a long value truncated.
[[noreturn]] void refuse_value(const std::string& key, const Json& value, const std::string& what);

}  // namespace detail

/// Returns `object[key]` as T, or `fallback` if the key is missing or null. Nothing is rounded, wrapped or converted to
/// another type. Throws std::invalid_argument that names the key, its value and the type expected.
template <class T>
T value_or(const Json& object, const std::string& key, T fallback) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return fallback;
  try {
    return detail::strictly<T>(*found);
  } catch (const Json::exception& error) {
    detail::refuse_value(key, *found, error.what());
  } catch (const std::invalid_argument& error) {
    detail::refuse_value(key, *found, error.what());
  }
}

/// Returns the nearest of `candidates` by edit distance, or "" if more than a third of the word differs from each.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// Throws std::invalid_argument for a key of `object` that is not in `known`, suggesting the nearest; `where` names the
/// file and the part of it.
void refuse_unknown_keys(const Json& object, const std::vector<std::string>& known, const std::string& where);

}  // namespace sfumato
