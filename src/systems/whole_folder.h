#pragma once

#include <filesystem>
#include <functional>

namespace sfumato {

/// Calls `write` with a folder beside `folder`, and puts it in the place of `folder` once it is whole. Returns false,
/// and leaves `folder` as it was, where `write` does; likewise for what it throws.
bool write_whole_folder(const std::filesystem::path& folder,
                        const std::function<bool(const std::filesystem::path&)>& write);

/// Copies a tokenizer's files (.json, .txt, .model) into the folder `to`.
void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sfumato
