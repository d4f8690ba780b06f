#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace sfumato {

/// A colour bitmap font such as NotoColorEmoji.ttf: PNG pictures by code point (OpenType's CBLC and CBDT tables,
/// index format 1, image format 17; cmap format 12).
class EmojiFont {
 public:
  /// Throws std::runtime_error naming the path and the fault.
  explicit EmojiFont(const std::filesystem::path& path);

  /// Returns the bytes of a PNG. Throws std::runtime_error if the font has no picture of that code point.
  std::string_view png(std::uint32_t codepoint) const;

 private:
  struct Span {
    std::size_t offset = 0, length = 0;
  };
  std::uint32_t number(std::size_t offset, int bytes) const;
  Span table(const std::string& tag) const;
  void read_cmap();
  void read_bitmaps();
  void read_bitmap_range(std::size_t index_array, std::size_t range);

  std::filesystem::path path_;
  std::string bytes_;
  std::map<std::uint32_t, std::uint32_t> glyphs_;  // by code point
  std::map<std::uint32_t, Span> images_;           // by glyph
};

}  // namespace sfumato
