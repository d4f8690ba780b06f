#include "images/exif.h"

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "images/bytes.h"
#include "images/jpeg.h"
#include "images/png.h"
#include "images/webp.h"

namespace sfumato {
namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t kOrientation = 0x112, kSamplesPerPixel = 0x115;
constexpr auto kXmpHeader = "http://ns.adobe.com/xap/1.0/\0"sv;

/// Metadata that a file stores in addition to its pixels.
struct Metadata {
  std::string exif{};
  std::string xmp{};
};

/// Content of the chunk `kind` of a PNG (length, kind, data, checksum); empty if there is none.
std::string_view png_chunk(std::string_view bytes, std::string_view kind) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t size = read_number(bytes, at, 4, ByteOrder::big);
    if (bytes.substr(at + 4, 4) == kind) return bytes.substr(at + 8, size);
    at += 12 + size;
  }
  return {};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// ImageMagick's raw profile: a line break, the profile's name, its length and the bytes in hexadecimal digits.
std::string raw_profile(std::string_view text) {
  std::size_t at = 0;
  for (int line = 0; line < 3 && at != std::string_view::npos; ++line) at = text.find('\n', at + (line > 0 ? 1 : 0));
  std::string bytes;
  int high = -1;
  for (; at < text.size(); ++at) {
    const int digit = hex_digit(text[at]);
    if (digit < 0) continue;
    if (high >= 0) bytes += static_cast<char>(high << 4 | digit);
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

/// Adds the content of JPEG's segment APP1, which is EXIF or XMP.
void add_app1(std::string_view content, Metadata& metadata) {
  if (content.starts_with("Exif\0\0"sv) && metadata.exif.empty()) metadata.exif = content;
  if (content.starts_with(kXmpHeader) && metadata.xmp.empty()) metadata.xmp = content.substr(kXmpHeader.size());
}

Metadata png_metadata(std::string_view bytes) {
  Metadata metadata{.exif = std::string(png_chunk(bytes, "eXIf"))};
  try {
    for (const auto& [keyword, text] : png_texts(bytes)) {
      if (keyword == "XML:com.adobe.xmp") metadata.xmp = text;
      if (keyword == "Raw profile type exif" && metadata.exif.empty()) metadata.exif = raw_profile(text);
      if (keyword == "Raw profile type xmp" && metadata.xmp.empty()) metadata.xmp = raw_profile(text);
      if (keyword == "Raw profile type APP1") add_app1(raw_profile(text), metadata);
    }
  } catch (const std::runtime_error&) {  // damaged: the pixels' reader reports it
  }
  return metadata;
}

Metadata metadata_of(std::string_view bytes) {
  if (is_webp(bytes))
    return {.exif = std::string(webp_chunk(bytes, "EXIF")), .xmp = std::string(webp_chunk(bytes, "XMP "))};
  if (is_png(bytes)) return png_metadata(bytes);
  Metadata metadata;
  if (is_jpeg(bytes))
    for (const auto& content : jpeg_app1_segments(bytes)) add_app1(content, metadata);
  return metadata;
}

/// Returns a short integer in the first directory of EXIF data, which is a TIFF file; 0 if it has none.
std::uint32_t tiff_number(std::string_view exif, std::uint32_t tag) {
  if (exif.starts_with("Exif\0\0"sv)) exif.remove_prefix(6);
  if (!exif.starts_with("MM") && !exif.starts_with("II")) return 0;
  const auto order = exif.starts_with("MM") ? ByteOrder::big : ByteOrder::little;
  const std::size_t directory = read_number(exif, 4, 4, order);
  const auto entries = read_number(exif, directory, 2, order);
  for (std::size_t i = 0; i < entries; ++i) {
    const auto entry = directory + 2 + 12 * i;
    if (read_number(exif, entry, 2, order) == tag) return read_number(exif, entry + 8, 2, order);
  }
  return 0;
}

/// Returns the value of an attribute, tiff:Orientation="6", or an element, <tiff:Orientation>6<; 0 if there is none.
std::uint32_t orientation_in_xmp(std::string_view xmp) {
  constexpr auto kName = "tiff:Orientation"sv;
  for (auto at = xmp.find(kName); at != std::string_view::npos; at = xmp.find(kName, at + 1)) {
    auto rest = xmp.substr(at + kName.size());
    if (rest.starts_with("=\"") || rest.starts_with("='"))
      rest.remove_prefix(2);
    else if (rest.starts_with(">"))
      rest.remove_prefix(1);
    else
      continue;
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return static_cast<std::uint32_t>(rest[0] - '0');
  }
  return 0;
}

}  // namespace

int exif_orientation(std::string_view bytes) {
  const auto metadata = metadata_of(bytes);
  auto value = tiff_number(metadata.exif, kOrientation);
  if (value == 0) value = orientation_in_xmp(metadata.xmp);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
}

int tiff_samples(std::string_view bytes) {
  return static_cast<int>(tiff_number(bytes, kSamplesPerPixel));
}

}  // namespace sfumato
