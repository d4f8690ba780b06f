#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

namespace sfumato {

/// Reads a whole file of at most 1 GiB as bytes. Throws std::runtime_error naming the path and the reason.
std::string read_file(const std::filesystem::path& path);

/// Writes a file completely or not at all: `write` fills a temporary file beside `path`, which is then flushed to the
/// disk (fsync) and renamed. Missing parent folders are created. If writing fails (std::system_error naming the path
/// and the reason) or `write` throws, the temporary file is removed and an existing file of that name stays.
void write_file_atomically(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);

/// Parses "16MiB", "40MB", "1000" or "0" to bytes. Throws std::invalid_argument that names the option.
std::int64_t parse_byte_size(const std::string& option, const std::string& text);

/// Copies a file with write_file_atomically. Throws as it and read_file do.
void copy_whole_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Copies a tokenizer's files (.json, .txt, .model) into the folder `to`.
void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sfumato
