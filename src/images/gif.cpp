#include "images/gif.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "images/bytes.h"

namespace sfumato {
namespace {

constexpr std::uint8_t kExtension = 0x21, kImage = 0x2C, kGraphicControl = 0xF9;
constexpr int kMostCodes = 4096, kNone = -1;

/// Reads a GIF from its start; throws at its end.
class GifBytes {
 public:
  explicit GifBytes(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::size_t count) {
    if (bytes_.size() - at_ < count) throw std::runtime_error("truncated GIF");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  int byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  int word() { return static_cast<int>(read_number(take(2), 0, 2, ByteOrder::little)); }
  /// Reads the data of the sub-blocks up to the empty one.
  std::string sub_blocks() {
    std::string data;
    for (int size = byte(); size > 0; size = byte()) data += take(static_cast<std::size_t>(size));
    return data;
  }
  /// Reads a palette of 2^(n + 1) colours if the flags of a screen or an image announce one.
  std::string_view palette(int flags) {
    return (flags & 0x80) != 0 ? take(3 * (std::size_t{2} << (flags & 7))) : std::string_view();
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

/// Reads codes of growing width, lowest bit first; kNone at the end.
class GifCodes {
 public:
  explicit GifCodes(std::string_view data) : data_(data) {}

  int next(int width) {
    while (bits_ < width) {
      if (at_ == data_.size()) return kNone;
      held_ |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(data_[at_++])) << bits_;
      bits_ += 8;
    }
    const int code = static_cast<int>(held_ & ((1U << width) - 1));
    held_ >>= width;
    bits_ -= width;
    return code;
  }

 private:
  std::string_view data_;
  std::size_t at_ = 0;
  std::uint32_t held_ = 0;
  int bits_ = 0;
};

/// Strings of the LZW dictionary, each stored as another string and a last letter.
struct GifDictionary {
  explicit GifDictionary(int letters) : size(letters + 2) {
    for (int i = 0; i < letters; ++i) last[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
  }

  /// Appends the string of `code`; returns its first letter.
  std::uint8_t append(int code, std::vector<std::uint8_t>& to) const {
    const auto begin = static_cast<std::ptrdiff_t>(to.size());
    for (; code != kNone; code = before[static_cast<std::size_t>(code)])
      to.push_back(last[static_cast<std::size_t>(code)]);
    std::reverse(to.begin() + begin, to.end());
    return to[static_cast<std::size_t>(begin)];
  }
  void add(int code, std::uint8_t letter) {
    before[static_cast<std::size_t>(size)] = static_cast<std::int16_t>(code);
    last[static_cast<std::size_t>(size++)] = letter;
  }

  int size;
  std::array<std::int16_t, kMostCodes> before = filled();
  std::array<std::uint8_t, kMostCodes> last{};

 private:
  static std::array<std::int16_t, kMostCodes> filled() {
    std::array<std::int16_t, kMostCodes> all{};
    all.fill(kNone);
    return all;
  }
};

/// Decompresses `count` palette indices of LZW data, whose letters have `letter_bits` bits.
std::vector<std::uint8_t> decompress(std::string_view data, int letter_bits, std::size_t count) {
  if (letter_bits < 1 || letter_bits > 8) throw std::runtime_error("damaged GIF");
  const int clear = 1 << letter_bits, end = clear + 1;
  GifDictionary dictionary(clear);
  GifCodes codes(data);
  std::vector<std::uint8_t> indices;
  int width = letter_bits + 1, previous = kNone;
  while (indices.size() < count) {
    const int code = codes.next(width);
    if (code == kNone || code == end) throw std::runtime_error("truncated GIF");
    if (code == clear) {
      dictionary.size = end + 1;
      width = letter_bits + 1;
      previous = kNone;
      continue;
    }
    if (code > dictionary.size || (code == dictionary.size && previous == kNone) || (previous == kNone && code > end))
      throw std::runtime_error("damaged GIF");
    // A code not yet in the dictionary means the previous string followed by its own first letter.
    const bool is_next = code == dictionary.size;
    const auto first = dictionary.append(is_next ? previous : code, indices);
    if (is_next) indices.push_back(first);
    if (previous != kNone && dictionary.size < kMostCodes) dictionary.add(previous, first);
    if (dictionary.size == 1 << width && width < 12) ++width;
    previous = code;
  }
  indices.resize(count);
  return indices;
}

/// A frame's position on the screen and its pixels as palette indices.
struct GifFrame {
  int left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::string_view palette{};
  std::vector<std::uint8_t> indices{};
};

/// Returns the rows in the order in which an interlaced frame stores them: every 8th, those between, and so on.
std::vector<int> row_order(const GifFrame& frame) {
  std::vector<int> rows;
  const auto pass = [&](int first, int step) {
    for (int row = first; row < frame.height; row += step) rows.push_back(row);
  };
  if (!frame.interlaced) return pass(0, 1), rows;
  pass(0, 8);
  pass(4, 8);
  pass(2, 4);
  pass(1, 2);
  return rows;
}

void paint(const GifFrame& frame, int transparent, torch::Tensor& screen) {
  auto pixels = screen.accessor<float, 3>();
  const auto rows = row_order(frame);
  for (std::size_t i = 0; i < frame.indices.size(); ++i) {
    const auto y = frame.top + rows[i / static_cast<std::size_t>(frame.width)];
    const auto x = frame.left + static_cast<int>(i % static_cast<std::size_t>(frame.width));
    const std::size_t index = frame.indices[i];
    if (static_cast<int>(index) == transparent || y >= screen.size(0) || x >= screen.size(1)) continue;
    if (3 * index + 2 >= frame.palette.size()) throw std::runtime_error("damaged GIF: a colour outside its palette");
    for (std::size_t c = 0; c < 3; ++c)
      pixels[y][x][static_cast<std::int64_t>(c)] =
          static_cast<float>(static_cast<std::uint8_t>(frame.palette[3 * index + c])) / 255;
    pixels[y][x][3] = 1;
  }
}

/// Reads an image descriptor after its separator, its palette and its pixels.
GifFrame read_frame(GifBytes& bytes, std::string_view global_palette) {
  GifFrame frame{.left = bytes.word(), .top = bytes.word(), .width = bytes.word(), .height = bytes.word()};
  const int flags = bytes.byte();
  frame.interlaced = (flags & 0x40) != 0;
  const auto own = bytes.palette(flags);
  frame.palette = own.empty() ? global_palette : own;
  const int letter_bits = bytes.byte();
  frame.indices = decompress(bytes.sub_blocks(), letter_bits, static_cast<std::size_t>(frame.width) * frame.height);
  return frame;
}

}  // namespace

bool is_gif(std::string_view bytes) {
  return bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a");
}

torch::Tensor decode_gif(std::string_view whole) {
  GifBytes bytes(whole);
  bytes.take(6);
  const int width = bytes.word(), height = bytes.word(), flags = bytes.byte();
  bytes.take(2);  // index of the background, and the pixels' aspect ratio
  const auto palette = bytes.palette(flags);
  if (width == 0 || height == 0) throw std::runtime_error("damaged GIF: a screen without pixels");
  auto screen = torch::zeros({height, width, 4});
  int transparent = kNone;
  for (int block = bytes.byte(); block != kImage; block = bytes.byte()) {
    if (block != kExtension) throw std::runtime_error("damaged GIF, or one without an image");
    const int label = bytes.byte();
    const auto data = bytes.sub_blocks();
    if (label == kGraphicControl && data.size() >= 4 && (data[0] & 1) != 0)
      transparent = static_cast<std::uint8_t>(data[3]);
  }
  paint(read_frame(bytes, palette), transparent, screen);
  return screen;
}

}  // namespace sfumato
