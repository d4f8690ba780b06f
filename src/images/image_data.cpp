#include "images/image_data.h"

#include <zlib.h>

#include <cstdint>
#include <stdexcept>

#include "images/nonzero_range.h"

namespace sfumato {
namespace {

constexpr std::uint8_t kLowBits = 0x0f;

/// Removes the rows and columns at the borders in which every pixel has a channel of 0; empty if all have.
torch::Tensor without_black_border(const torch::Tensor& pixels) {
  const auto lit = pixels.gt(0).all(2);  // [H, W]
  if (!lit.any().item<bool>()) return pixels.slice(0, 0, 0);
  const auto [top, bottom] = nonzero_range(lit.any(1));
  const auto [left, right] = nonzero_range(lit.any(0));
  return pixels.slice(0, top, bottom).slice(1, left, right);
}

/// Returns a block's bits [H, w, 3] in their order, without those of the generator.
std::string plain_bits(const torch::Tensor& block) {
  const auto bits = block.contiguous();
  std::string result(static_cast<std::size_t>(bits.numel()), '\0');
  std::uint32_t state = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    state = state * 1664525U + 1013904223U;
    result[i] = static_cast<char>((bits.data_ptr<std::uint8_t>()[i] ^ (state % 255U)) & kLowBits);
  }
  return result;
}

std::string inflated(const std::string& bytes) {
  constexpr std::size_t kMost = std::size_t{64} << 20, kPiece = std::size_t{1} << 16;
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) throw std::runtime_error("zlib does not start");
  // zlib's interface is not const-correct; it does not write to its input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string text;
  int state = Z_OK;
  while (state == Z_OK && text.size() < kMost) {
    const auto begin = text.size();
    text.resize(begin + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + begin);
    stream.avail_out = kPiece;
    state = inflate(&stream, Z_NO_FLUSH);
    text.resize(begin + kPiece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) throw std::runtime_error("the data in its pixels are damaged or too long");
  return text;
}

}  // namespace

std::string text_in_pixels(const torch::Tensor& pixels) {
  const auto bits = without_black_border(pixels).bitwise_and(kLowBits);
  if (bits.numel() == 0) return "";
  const auto black = bits.eq(0).all(2).all(0);  // [W]
  if (black.sum().item<std::int64_t>() < 2) return "";
  const auto [first, end] = nonzero_range(black);
  const auto low = plain_bits(bits.slice(1, 0, first)), high = plain_bits(bits.slice(1, end));
  if (low.empty() || low.size() != high.size()) return "";
  std::string bytes = low;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(low[i] | (high[i] << 4));
  return inflated(bytes);
}

}  // namespace sfumato
