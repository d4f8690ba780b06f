#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// A member of a struct by its key in JSON. A table of them defines how the struct is written and read.
template <class Group>
using JsonMember = std::pair<const char*, std::variant<bool Group::*, double Group::*, std::int64_t Group::*,
                                                       std::uint64_t Group::*, std::string Group::*>>;

/// Returns the value of `key`, or the current one if it is missing. Whole numbers must not be negative: nlohmann_json
/// would truncate 2.7 to 2 and wrap -1. Throws std::invalid_argument for a value of another type.
template <class Value>
void read_member(const Json& json, const std::string& key, Value& value) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  constexpr bool is_whole = std::is_integral_v<Value> && !std::is_same_v<Value, bool>;
  if (is_whole && !found->is_number_unsigned())
    throw std::invalid_argument(key + " " + found->dump() + ": expected a whole number that is not negative");
  value = value_or(json, key, value);
}

template <class Group>
void read_member(const Json& json, const JsonMember<Group>& member, Group& group) {
  std::visit([&](auto pointer) { read_member(json, member.first, group.*pointer); }, member.second);
}

template <class Group>
void write_member(nlohmann::ordered_json& json, const JsonMember<Group>& member, const Group& group) {
  std::visit([&](auto pointer) { json[member.first] = group.*pointer; }, member.second);
}

template <class Group>
bool is_default(const JsonMember<Group>& member, const Group& group) {
  return std::visit([&](auto pointer) { return group.*pointer == Group().*pointer; }, member.second);
}

template <class Table>
void add_keys(std::vector<std::string>& keys, const Table& table) {
  for (const auto& row : table) keys.emplace_back(row.first);
}

template <class Table, class Group>
nlohmann::ordered_json write_group(const Table& table, const Group& group) {
  nlohmann::ordered_json json;
  for (const auto& member : table) write_member(json, member, group);
  return json;
}

/// Reads the group under `name`; missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a
/// value of another type.
template <class Table, class Group>
void read_group(const Json& json, const std::string& name, const Table& table, Group& group) {
  const auto found = json.find(name);
  if (found == json.end()) return;
  std::vector<std::string> keys;
  add_keys(keys, table);
  refuse_unknown_keys(*found, keys, name);
  for (const auto& member : table) read_member(*found, member, group);
}

}  // namespace sfumato
