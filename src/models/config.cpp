#include "models/config.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "core/number_text.h"

namespace sfumato {

OneOrMany one_or_many(const Json& config, const std::string& key, OneOrMany fallback) {
  const auto found = config.find(key);
  if (found != config.end() && found->is_number_integer()) return {found->get<std::int64_t>()};
  return value_or<OneOrMany>(config, key, std::move(fallback));
}

nlohmann::ordered_json to_json_value(const OneOrMany& values) {
  if (values.empty()) return nullptr;
  if (values.size() == 1) return values.front();
  return values;
}

LayersOfBlocks layers_of_blocks(const Json& config, const std::string& key, LayersOfBlocks fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (!found->is_array()) return {one_or_many(config, key, {})};
  LayersOfBlocks blocks;
  for (const auto& block : *found) {
    blocks.push_back(one_or_many({{key, block}}, key, {}));
    if (blocks.back().empty()) detail::refuse_value(key, *found, "expected numbers or lists of numbers");
    auto& layers = blocks.back();
    if (std::equal(layers.begin() + 1, layers.end(), layers.begin())) layers.resize(1);
  }
  if (blocks.empty()) detail::refuse_value(key, *found, "expected a number for each block");
  return blocks;
}

nlohmann::ordered_json to_json_value(const LayersOfBlocks& values) {
  if (values.empty()) return nullptr;
  if (values.size() == 1) return to_json_value(values.front());
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& block : values) json.push_back(to_json_value(block));
  return json;
}

const OneOrMany& at_block(const LayersOfBlocks& values, std::size_t index) {
  return values.size() == 1 ? values.front() : values.at(index);
}

OneOrMany one_or_many_flags(const Json& config, const std::string& key, OneOrMany fallback) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return fallback;
  if (found->is_boolean()) return {found->get<bool>() ? 1 : 0};
  const auto values = value_or(config, key, std::vector<bool>{});
  return {values.begin(), values.end()};
}

nlohmann::ordered_json flags_to_json(const OneOrMany& values) {
  if (values.size() == 1) return values.front() != 0;
  return std::vector<bool>(values.begin(), values.end());
}

std::int64_t at_block(const OneOrMany& values, std::size_t index) {
  return values.size() == 1 ? values.front() : values.at(index);
}

void require_per_block(const OneOrMany& values, std::size_t blocks, const std::string& where_and_key) {
  if (values.size() == 1 || values.size() == blocks) return;
  throw std::invalid_argument(where_and_key + " has " + std::to_string(values.size()) + " values for " +
                              std::to_string(blocks) + " blocks");
}

void require_supported(const Json& config, const std::string& key, std::initializer_list<Json> supported,
                       const std::string& class_name) {
  const auto found = config.find(key);
  if (found == config.end() || std::find(supported.begin(), supported.end(), *found) != supported.end()) return;
  std::string expected;
  for (const auto& value : supported) expected += (expected.empty() ? "" : " or ") + value.dump();
  throw std::invalid_argument(class_name + ": '" + key + "' is " + found->dump() + "; supported is " + expected);
}

void require_types(const std::vector<std::string>& types, const std::string& key,
                   std::initializer_list<const char*> supported, const std::string& class_name) {
  std::string expected;
  for (const char* type : supported) expected += (expected.empty() ? "" : " and ") + std::string(type);
  for (const auto& type : types) {
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) continue;
    throw std::invalid_argument(class_name + ": '" + key + "' has \"" + type + "\"; supported are " + expected);
  }
}

void refuse_value(const std::string& class_name, const std::string& key, const std::string& value,
                  const std::string& expected) {
  throw std::invalid_argument(class_name + ": '" + key + "' is " + value + "; expected " + expected);
}

void require_positive(const std::string& class_name, const std::string& key, const std::vector<std::int64_t>& values) {
  for (const auto value : values)
    if (value < 1) refuse_value(class_name, key, std::to_string(value), "at least 1");
}

void require_dropout(const std::string& class_name, const std::string& key, double dropout) {
  if (!(dropout >= 0 && dropout < 1)) refuse_value(class_name, key, number_text(dropout), "at least 0 and below 1");
}

std::string rename_attention_key(const std::string& key) {
  static constexpr std::array<std::pair<const char*, const char*>, 4> kNames{
      {{".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}}};
  for (const auto& [older, present] : kNames) {
    const auto at = key.rfind(older);
    if (at != std::string::npos) return key.substr(0, at) + present + key.substr(at + std::string(older).size());
  }
  return key;
}

}  // namespace sfumato
