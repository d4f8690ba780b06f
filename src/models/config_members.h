#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/config.h"

namespace sfumato {

// A config class lists its members once, for reading and for writing:
//
//   template <class Members, class Config>
//   void list_members(Members& members, Config& config) {
//     members.value("in_channels", config.in_channels);
//     members.nullable("num_class_embeds", config.num_class_embeds);
//   }
//
// The order is that of the written file.

/// Reads members from a config. A missing key leaves the member as it is, and so does null, except for `nullable`.
/// Throws std::invalid_argument naming the key for a value of another type.
class MemberReader {
 public:
  /// `json` must outlive it.
  explicit MemberReader(const Json& json) : json_(json) {}

  template <class T>
  void value(const std::string& key, T& member) {
    member = value_or(json_, key, member);
  }
  /// null stands for 0, "" or no value.
  template <class T>
  void nullable(const std::string& key, T& member) {
    const auto found = json_.find(key);
    if (found != json_.end()) member = found->is_null() ? T{} : value_or(json_, key, T{});
  }
  void nullable(const std::string& key, std::optional<bool>& member) {
    const auto found = json_.find(key);
    if (found != json_.end() && !found->is_null()) member = value_or(json_, key, false);
  }
  /// An empty member is not written.
  template <class T>
  void unless_empty(const std::string& key, T& member) {
    value(key, member);
  }
  void unless_empty(const std::string& key, LayersOfBlocks& member) { per_layer(key, member); }
  /// One number for all blocks, or a list.
  void one_or_many(const std::string& key, OneOrMany& member) { member = sfumato::one_or_many(json_, key, member); }
  /// A number, or a list of which the first counts.
  void first(const std::string& key, std::int64_t& member) {
    member = sfumato::one_or_many(json_, key, {member}).at(0);
  }
  /// One bool for all blocks, or a list, as 0 and 1.
  void flags(const std::string& key, OneOrMany& member) { member = one_or_many_flags(json_, key, member); }
  /// A number for each layer of each block.
  void per_layer(const std::string& key, LayersOfBlocks& member) { member = layers_of_blocks(json_, key, member); }

 private:
  const Json& json_;
};

/// Writes members as MemberReader reads them.
class MemberWriter {
 public:
  using OrderedJson = nlohmann::ordered_json;

  /// `json` must outlive it.
  explicit MemberWriter(OrderedJson& json) : json_(json) {}

  template <class T>
  void value(const std::string& key, const T& member) {
    json_[key] = member;
  }
  template <class T>
  void nullable(const std::string& key, const T& member) {
    json_[key] = member == T{} ? OrderedJson(nullptr) : OrderedJson(member);
  }
  void nullable(const std::string& key, const std::optional<bool>& member) {
    json_[key] = member ? OrderedJson(*member) : OrderedJson(nullptr);
  }
  template <class T>
  void unless_empty(const std::string& key, const T& member) {
    if (member != T{}) json_[key] = member;
  }
  void unless_empty(const std::string& key, const LayersOfBlocks& member) {
    if (!member.empty()) per_layer(key, member);
  }
  void one_or_many(const std::string& key, const OneOrMany& member) { json_[key] = to_json_value(member); }
  void first(const std::string& key, std::int64_t member) { json_[key] = member; }
  void flags(const std::string& key, const OneOrMany& member) { json_[key] = flags_to_json(member); }
  void per_layer(const std::string& key, const LayersOfBlocks& member) { json_[key] = to_json_value(member); }

 private:
  OrderedJson& json_;
};

}  // namespace sfumato
