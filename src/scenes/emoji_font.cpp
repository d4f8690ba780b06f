#include "scenes/emoji_font.h"

#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {
namespace {

/// In image format 17, small metrics (5 bytes) and the length of the data precede the PNG.
constexpr std::size_t kSmallMetrics = 5;
constexpr std::uint32_t kMaxGlyphs = 65536;

}  // namespace

EmojiFont::EmojiFont(const std::filesystem::path& path) : path_(path), bytes_(read_file(path)) {
  read_cmap();
  read_bitmaps();
}

/// Reads a big-endian integer; all of OpenType is big-endian.
std::uint32_t EmojiFont::number(std::size_t offset, int bytes) const {
  if (offset + bytes > bytes_.size()) throw std::runtime_error(path_.string() + ": the font file is cut short");
  std::uint32_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[offset + i]);
  return value;
}

EmojiFont::Span EmojiFont::table(const std::string& tag) const {
  const auto count = number(4, 2);
  for (std::size_t record = 12; record < 12 + 16 * count; record += 16) {
    if (bytes_.compare(record, 4, tag) == 0) return {number(record + 8, 4), number(record + 12, 4)};
  }
  throw std::runtime_error(path_.string() + ": no table '" + tag + "', expected a colour bitmap font");
}

void EmojiFont::read_cmap() {
  const auto cmap = table("cmap").offset;
  for (std::size_t record = cmap + 4; record < cmap + 4 + 8 * number(cmap + 2, 2); record += 8) {
    const auto map = cmap + number(record + 4, 4);
    if (number(map, 2) != 12) continue;
    const auto groups = number(map + 12, 4);
    for (std::size_t group = map + 16; group < map + 16 + 12ull * groups; group += 12) {
      const auto first = number(group, 4), last = number(group + 4, 4), glyph = number(group + 8, 4);
      if (last < first || last - first > kMaxGlyphs) throw std::runtime_error(path_.string() + ": broken cmap");
      for (auto code = first; code <= last; ++code) glyphs_[code] = glyph + (code - first);
    }
  }
  if (glyphs_.empty()) throw std::runtime_error(path_.string() + ": no cmap of format 12");
}

void EmojiFont::read_bitmaps() {
  const auto cblc = table("CBLC").offset;
  const auto sizes = number(cblc + 4, 4);
  if (sizes == 0) throw std::runtime_error(path_.string() + ": no bitmaps");
  const auto record = cblc + 8;  // the first size; Noto has only one
  const auto index_array = cblc + number(record, 4);
  const auto ranges = number(record + 8, 4);
  for (std::size_t range = 0; range < ranges; ++range) read_bitmap_range(index_array, index_array + 8 * range);
}

void EmojiFont::read_bitmap_range(std::size_t index_array, std::size_t range) {
  const auto first = number(range, 2), last = number(range + 2, 2);
  const auto header = index_array + number(range + 4, 4);
  if (number(header, 2) != 1 || number(header + 2, 2) != 17) return;
  const auto data = table("CBDT").offset + number(header + 4, 4);
  for (auto glyph = first; glyph <= last; ++glyph) {
    const auto image = data + number(header + 8 + 4 * (glyph - first), 4);
    const auto length = number(image + kSmallMetrics, 4);
    const auto start = image + kSmallMetrics + 4;
    if (start + length > bytes_.size()) throw std::runtime_error(path_.string() + ": the font file is cut short");
    images_[glyph] = {start, length};
  }
}

std::string_view EmojiFont::png(std::uint32_t codepoint) const {
  const auto glyph = glyphs_.find(codepoint);
  const auto image = glyph == glyphs_.end() ? images_.end() : images_.find(glyph->second);
  if (image == images_.end()) {
    std::ostringstream message;
    message << path_.string() << ": no picture of U+" << std::hex << std::uppercase << codepoint;
    throw std::runtime_error(message.str());
  }
  return std::string_view(bytes_).substr(image->second.offset, image->second.length);
}

}  // namespace sfumato
