#include "images/exif.h"

#include <cstddef>
#include <cstdint>

namespace sfumato {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kOrientation = 0x112;

/// A whole number of `count` bytes; 0 beyond the end.
std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t count, bool big_endian) {
  if (at > bytes.size() || bytes.size() - at < count) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<std::uint8_t>(bytes[at + (big_endian ? i : count - 1 - i)]);
  return value;
}

/// What the chunk `kind` of a PNG holds (length, kind, data, checksum); empty where there is none.
std::string_view png_chunk(std::string_view bytes, std::string_view kind) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const auto size = number(bytes, at, 4, true);
    if (bytes.substr(at + 4, 4) == kind) return bytes.substr(at + 8, size);
    at += 12 + std::size_t{size};
  }
  return {};
}

/// The same of a WebP (kind, length, data to an even size).
std::string_view webp_chunk(std::string_view bytes, std::string_view kind) {
  for (std::size_t at = 12; at + 8 <= bytes.size();) {
    const auto size = number(bytes, at + 4, 4, false);
    if (bytes.substr(at, 4) == kind) return bytes.substr(at + 8, size);
    at += 8 + std::size_t{size} + size % 2;
  }
  return {};
}

/// Of EXIF data, which begins as a TIFF file: byte order, and where the directory lies.
int orientation_of(std::string_view exif) {
  if (exif.starts_with("Exif\0\0"sv)) exif.remove_prefix(6);
  const bool big_endian = exif.starts_with("MM");
  if (!big_endian && !exif.starts_with("II")) return 1;
  const std::size_t directory = number(exif, 4, 4, big_endian);
  const auto entries = number(exif, directory, 2, big_endian);
  for (std::size_t i = 0; i < entries; ++i) {
    const auto entry = directory + 2 + 12 * i;
    if (number(exif, entry, 2, big_endian) != kOrientation) continue;
    const auto value = number(exif, entry + 8, 2, big_endian);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

bool is_webp(std::string_view bytes) {
  return bytes.size() > 12 && bytes.starts_with("RIFF") && bytes.substr(8).starts_with("WEBP");
}

int exif_orientation(std::string_view bytes) {
  if (is_webp(bytes)) return orientation_of(webp_chunk(bytes, "EXIF"));
  return bytes.starts_with("\x89PNG"sv) ? orientation_of(png_chunk(bytes, "eXIf")) : 1;
}

}  // namespace sfumato
