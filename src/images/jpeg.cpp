#include "images/jpeg.h"

#include <cstdint>

namespace sfumato {
namespace {

constexpr std::uint8_t kEndOfImage = 0xD9, kStartOfScan = 0xDA;

std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

/// Markers without a length: TEM, RST0 to RST7, start of image.
bool stands_alone(std::uint8_t marker) {
  return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

/// The next 0xFF that starts a marker other than a restart, from `at` on; inside a scan 0xFF 0x00 is data.
std::size_t end_of_scan(std::string_view bytes, std::size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const auto next = byte_at(bytes, at + 1);
    if (byte_at(bytes, at) == 0xFF && next != 0x00 && next != 0xFF && !stands_alone(next)) return at;
  }
  return bytes.size();
}

}  // namespace

bool is_jpeg(std::string_view bytes) {
  return bytes.substr(0, 3) == "\xFF\xD8\xFF";
}

bool is_whole_jpeg(std::string_view bytes) {
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (byte_at(bytes, at) != 0xFF) return false;
    const auto marker = byte_at(bytes, at + 1);
    if (marker == kEndOfImage) return true;
    if (marker == 0xFF || stands_alone(marker)) {
      at += marker == 0xFF ? 1 : 2;
      continue;
    }
    if (at + 3 >= bytes.size()) return false;
    at += 2 + (std::size_t{byte_at(bytes, at + 2)} << 8 | byte_at(bytes, at + 3));
    if (marker == kStartOfScan) at = end_of_scan(bytes, at);
  }
  return false;
}

}  // namespace sfumato
