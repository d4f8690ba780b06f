#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace sfumato {

/// Returns the SHA-256 (FIPS 180-4) of bytes as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// Returns the SHA-256 of a file from byte `begin` on. Throws std::runtime_error naming the path.
std::string sha256_of_file(const std::filesystem::path& path, std::uint64_t begin = 0);

}  // namespace sfumato
