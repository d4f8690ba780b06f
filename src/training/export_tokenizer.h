#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// Copies the files of a recipe's tokenizer into the folder `to`. Throws std::runtime_error naming the first of the
/// `required` files that is missing.
void export_tokenizer(const std::filesystem::path& tokenizer, const std::filesystem::path& to,
                      const std::vector<std::string>& required = {"tokenizer_config.json"});

/// Returns a warning if the folder at a recipe's `key` lacks a file that the export needs; nothing otherwise.
std::vector<std::string> missing_for_export(const std::string& key, const std::filesystem::path& folder,
                                            const std::string& file);

}  // namespace sfumato
