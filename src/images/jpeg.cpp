#include "images/jpeg.h"

#include <cstdint>

namespace sfumato {
namespace {

constexpr std::uint8_t kEndOfImage = 0xD9, kStartOfScan = 0xDA, kApp1 = 0xE1;

std::uint8_t byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

/// True for markers without a length: TEM, RST0 to RST7, start of image.
bool stands_alone(std::uint8_t marker) {
  return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8);
}

/// Finds the next 0xFF from `at` on that starts a marker other than a restart; inside a scan 0xFF 0x00 is data.
std::size_t end_of_scan(std::string_view bytes, std::size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const auto next = byte_at(bytes, at + 1);
    if (byte_at(bytes, at) == 0xFF && next != 0x00 && next != 0xFF && !stands_alone(next)) return at;
  }
  return bytes.size();
}

/// Calls `on_segment` with each segment's marker and content. Returns true if the end-of-image marker is reached.
template <class OnSegment>
bool walk_segments(std::string_view bytes, const OnSegment& on_segment) {
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    const auto marker = byte_at(bytes, at + 1);
    const bool is_marker = byte_at(bytes, at) == 0xFF && marker != 0x00 && marker != 0xFF;
    if (!is_marker || stands_alone(marker)) {
      at += is_marker ? 2 : 1;
      continue;
    }
    if (marker == kEndOfImage) return true;
    if (at + 3 >= bytes.size()) return false;
    const auto length = std::size_t{byte_at(bytes, at + 2)} << 8 | byte_at(bytes, at + 3);
    if (length < 2 || bytes.size() - at - 2 < length) return false;
    on_segment(marker, bytes.substr(at + 4, length - 2));
    at += 2 + length;
    if (marker == kStartOfScan) at = end_of_scan(bytes, at);
  }
  return false;
}

}  // namespace

bool is_jpeg(std::string_view bytes) {
  return bytes.substr(0, 3) == "\xFF\xD8\xFF";
}

bool is_whole_jpeg(std::string_view bytes) {
  return walk_segments(bytes, [](std::uint8_t, std::string_view) {});
}

std::vector<std::string_view> jpeg_app1_segments(std::string_view bytes) {
  std::vector<std::string_view> found;
  walk_segments(bytes, [&](std::uint8_t marker, std::string_view content) {
    if (marker == kApp1) found.push_back(content);
  });
  return found;
}

}  // namespace sfumato
