#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sfumato {

enum class ByteOrder { little, big };

/// Reads an integer of `count` bytes (at most 4) at `at`; 0 beyond the end.
inline std::uint32_t read_number(std::string_view bytes, std::size_t at, std::size_t count, ByteOrder order) {
  if (at > bytes.size() || bytes.size() - at < count) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + (order == ByteOrder::big ? i : count - 1 - i)]);
  return value;
}

/// The inverse of read_number: `value` in `count` bytes.
inline std::string number_bytes(std::uint32_t value, std::size_t count, ByteOrder order) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i)
    bytes += static_cast<char>(value >> 8 * (order == ByteOrder::big ? count - 1 - i : i));
  return bytes;
}

}  // namespace sfumato
