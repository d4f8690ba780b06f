#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// A config's value that is one number for all blocks or a list with one for each.
using OneOrMany = std::vector<std::int64_t>;

/// `config[key]`, a number or a list of numbers; `fallback` where missing or null. Throws std::invalid_argument.
OneOrMany one_or_many(const Json& config, const std::string& key, OneOrMany fallback);

/// A single value as a number, several as a list, none as null.
nlohmann::ordered_json to_json_value(const OneOrMany& values);

/// A config's value for each layer of each block: one number for all, one for each block, or a list of one for each
/// layer in the place of a block's. Lists of equal numbers are read as one number.
using LayersOfBlocks = std::vector<OneOrMany>;

/// `config[key]` likewise; `fallback` where missing or null. Throws std::invalid_argument.
LayersOfBlocks layers_of_blocks(const Json& config, const std::string& key, LayersOfBlocks fallback);
nlohmann::ordered_json to_json_value(const LayersOfBlocks& values);

/// The layers of block `index`.
const OneOrMany& at_block(const LayersOfBlocks& values, std::size_t index);

/// Null for "" and for 0: how configs write what is not set.
nlohmann::ordered_json null_if_empty(const std::string& text);
nlohmann::ordered_json null_if_zero(std::int64_t value);

/// The value for block `index`.
std::int64_t at_block(const OneOrMany& values, std::size_t index);

/// Throws std::invalid_argument naming `where`, the key and the counts, unless `values` is one or `blocks` values.
void require_per_block(const OneOrMany& values, std::size_t blocks, const std::string& where_and_key);

/// Throws std::invalid_argument naming the class, the key and its value, unless `config[key]` is missing or one of
/// `supported`.
void require_supported(const Json& config, const std::string& key, std::initializer_list<Json> supported,
                       const std::string& class_name);

/// Throws std::invalid_argument naming the class, the key and the type, unless each of `types` is one of `supported`.
void require_types(const std::vector<std::string>& types, const std::string& key,
                   std::initializer_list<const char*> supported, const std::string& class_name);

/// Throws std::invalid_argument that says what of a class's config has which value, and what was expected.
[[noreturn]] void refuse_value(const std::string& class_name, const std::string& key, const std::string& value,
                               const std::string& expected);

/// Refuses values, as refuse_value does, of which one is less than 1.
void require_positive(const std::string& class_name, const std::string& key, const std::vector<std::int64_t>& values);

/// A parameter's key as older checkpoints write attention (query, key, value, proj_attn), by its present name.
std::string rename_attention_key(const std::string& key);

}  // namespace sfumato
