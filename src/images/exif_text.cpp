#include "images/exif_text.h"

#include <cstdint>
#include <vector>

#include "images/bytes.h"

namespace sfumato {
namespace {

using namespace std::string_view_literals;

constexpr auto kOrder = ByteOrder::big;
constexpr std::uint32_t kExifDirectory = 0x8769, kMakerNote = 0x927C, kUserComment = 0x9286;
constexpr std::uint32_t kLong = 4, kUndefined = 7;
constexpr auto kUnicode = "UNICODE\0"sv, kAscii = "ASCII\0\0\0"sv;
constexpr std::string_view kParameters = "parameters";

/// Returns the code points of UTF-8, with U+FFFD for invalid bytes.
std::vector<std::uint32_t> code_points(std::string_view utf8) {
  std::vector<std::uint32_t> points;
  for (std::size_t at = 0; at < utf8.size();) {
    const auto lead = static_cast<std::uint8_t>(utf8[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    bool whole = lead < 0x80 || (lead >= 0xC0 && at + length <= utf8.size());
    for (std::size_t i = 1; whole && i < length; ++i) {
      const auto next = static_cast<std::uint8_t>(utf8[at + i]);
      whole = (next & 0xC0) == 0x80;
      point = point << 6 | (next & 0x3F);
    }
    points.push_back(whole ? point : 0xFFFD);
    at += whole ? length : 1;
  }
  return points;
}

void append_utf8(std::uint32_t point, std::string& text) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | point >> 6);
    tail(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | point >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::string utf16_from_utf8(std::string_view utf8) {
  std::string bytes;
  for (const auto point : code_points(utf8)) {
    if (point < 0x10000) {
      bytes += number_bytes(point, 2, kOrder);
    } else {
      bytes += number_bytes(0xD800 + ((point - 0x10000) >> 10), 2, kOrder);
      bytes += number_bytes(0xDC00 + ((point - 0x10000) & 0x3FF), 2, kOrder);
    }
  }
  return bytes;
}

/// Finds the byte order by a mark or, without one, by the position of the zero bytes of Latin letters: writers differ.
ByteOrder utf16_order(std::string_view bytes) {
  if (bytes.starts_with("\xFF\xFE")) return ByteOrder::little;
  if (bytes.starts_with("\xFE\xFF")) return ByteOrder::big;
  std::int64_t zeros = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) zeros += (bytes[i] == 0) - (bytes[i + 1] == 0);
  return zeros < 0 ? ByteOrder::little : ByteOrder::big;
}

std::string utf8_from_utf16(std::string_view bytes) {
  const auto order = utf16_order(bytes);
  std::string text;
  for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
    auto point = read_number(bytes, at, 2, order);
    if (point == 0xFEFF) continue;
    const auto low = read_number(bytes, at + 2, 2, order);
    if (point >= 0xD800 && point < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10 | (low - 0xDC00));
      at += 2;
    } else if (point >= 0xD800 && point < 0xE000) {
      point = 0xFFFD;
    }
    append_utf8(point, text);
  }
  return text;
}

/// Returns an entry of a TIFF directory: tag, type, count, value or offset.
std::string entry(std::uint32_t tag, std::uint32_t type, std::size_t count, std::size_t value) {
  return number_bytes(tag, 2, kOrder) + number_bytes(type, 2, kOrder) +
         number_bytes(static_cast<std::uint32_t>(count), 4, kOrder) +
         number_bytes(static_cast<std::uint32_t>(value), 4, kOrder);
}

struct Tiff {
  std::string_view bytes;
  ByteOrder order;

  std::uint32_t number(std::size_t at, std::size_t count) const { return read_number(bytes, at, count, order); }
  /// Returns the offset of an entry of a directory; 0 for none.
  std::size_t find(std::size_t directory, std::uint32_t tag) const {
    const auto entries = number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i)
      if (const auto at = directory + 2 + 12 * i; number(at, 2) == tag) return at;
    return 0;
  }
  /// Returns the bytes of an entry that has more than 4.
  std::string_view data(std::size_t directory, std::uint32_t tag) const {
    const auto at = find(directory, tag);
    const std::size_t count = number(at + 4, 4), offset = number(at + 8, 4);
    if (at == 0 || count <= 4 || offset > bytes.size() || bytes.size() - offset < count) return {};
    return bytes.substr(offset, count);
  }
};

std::string comment_text(std::string_view comment) {
  if (comment.starts_with(kUnicode)) return utf8_from_utf16(comment.substr(kUnicode.size()));
  const bool has_code = comment.starts_with(kAscii) || comment.starts_with("\0\0\0\0\0\0\0\0"sv);
  return std::string(comment.substr(has_code ? kAscii.size() : 0));
}

}  // namespace

std::string make_exif(const TextChunks& texts) {
  constexpr std::size_t kSubdirectory = 26, kData = 56;  // after the header and each directory
  std::string comment, note;
  for (const auto& [keyword, text] : texts) {
    if (keyword == kParameters)
      comment = std::string(kUnicode) + utf16_from_utf8(text);
    else
      note += keyword + '\0' + text + '\0';
  }
  return "MM" + number_bytes(42, 2, kOrder) + number_bytes(8, 4, kOrder) + number_bytes(1, 2, kOrder) +
         entry(kExifDirectory, kLong, 1, kSubdirectory) + number_bytes(0, 4, kOrder) + number_bytes(2, 2, kOrder) +
         entry(kMakerNote, kUndefined, note.size(), kData) +
         entry(kUserComment, kUndefined, comment.size(), kData + note.size()) + number_bytes(0, 4, kOrder) + note +
         comment;
}

TextChunks exif_texts(std::string_view exif) {
  if (exif.starts_with("Exif\0\0"sv)) exif.remove_prefix(6);
  if (!exif.starts_with("MM") && !exif.starts_with("II")) return {};
  const Tiff tiff{exif, exif.starts_with("MM") ? ByteOrder::big : ByteOrder::little};
  const auto pointer = tiff.find(tiff.number(4, 4), kExifDirectory);
  if (pointer == 0) return {};
  const auto directory = tiff.number(pointer + 8, 4);
  TextChunks texts;
  if (const auto comment = tiff.data(directory, kUserComment); !comment.empty())
    texts.emplace_back(kParameters, comment_text(comment));
  const auto note = tiff.data(directory, kMakerNote);
  for (std::size_t at = 0; at < note.size();) {
    const auto middle = note.find('\0', at), end = note.find('\0', middle + 1);
    if (middle == std::string_view::npos || end == std::string_view::npos) break;
    texts.emplace_back(note.substr(at, middle - at), note.substr(middle + 1, end - middle - 1));
    at = end + 1;
  }
  return texts;
}

}  // namespace sfumato
