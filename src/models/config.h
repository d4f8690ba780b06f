#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// Value of a config: one number for all blocks or a list with one for each.
using OneOrMany = std::vector<std::int64_t>;

/// Reads `config[key]`, a number or a list of numbers; `fallback` if missing or null. Throws std::invalid_argument.
OneOrMany one_or_many(const Json& config, const std::string& key, OneOrMany fallback);

/// Writes a single value as a number, several as a list, none as null.
nlohmann::ordered_json to_json_value(const OneOrMany& values);

/// Value of a config for each layer of each block: one number for all, one for each block, or, in place of a block's
/// number, a list with one for each layer. Lists of equal numbers are read as one number.
using LayersOfBlocks = std::vector<OneOrMany>;

/// Reads `config[key]` likewise; `fallback` if missing or null. Throws std::invalid_argument.
LayersOfBlocks layers_of_blocks(const Json& config, const std::string& key, LayersOfBlocks fallback);
nlohmann::ordered_json to_json_value(const LayersOfBlocks& values);

/// Values for the layers of block `index`.
const OneOrMany& at_block(const LayersOfBlocks& values, std::size_t index);

/// `config[key]`, a bool or a list of bools, as 0 and 1; `fallback` where missing or null. Throws
/// std::invalid_argument.
OneOrMany one_or_many_flags(const Json& config, const std::string& key, OneOrMany fallback);
nlohmann::ordered_json flags_to_json(const OneOrMany& values);

/// Value for block `index`.
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

/// Throws std::invalid_argument with the class, the config's key, its value and the expected values.
[[noreturn]] void refuse_value(const std::string& class_name, const std::string& key, const std::string& value,
                               const std::string& expected);

/// Throws as refuse_value does if one of the values is less than 1.
void require_positive(const std::string& class_name, const std::string& key, const std::vector<std::int64_t>& values);

/// Throws as refuse_value does unless 0 <= dropout < 1.
void require_dropout(const std::string& class_name, const std::string& key, double dropout);

/// Renames a key of attention in older checkpoints (query, key, value, proj_attn) to its current name.
std::string rename_attention_key(const std::string& key);

}  // namespace sfumato
