#include "images/webp.h"

#include "images/bytes.h"

namespace sfumato {
namespace {

constexpr auto kLittle = ByteOrder::little;
constexpr std::size_t kFileHeader = 12, kChunkHeader = 8, kFrameHeader = 16;

/// Content of the first chunk `kind` from `at` on: kind, length, data padded to an even size.
std::string_view find_chunk(std::string_view bytes, std::size_t at, std::string_view kind) {
  while (at + kChunkHeader <= bytes.size()) {
    const std::size_t size = read_number(bytes, at + 4, 4, kLittle);
    if (bytes.substr(at, 4) == kind) return bytes.substr(at + kChunkHeader, size);
    at += kChunkHeader + size + size % 2;
  }
  return {};
}

/// Returns a file of one frame's chunks. Alpha in a separate chunk needs the extended form.
std::string still_webp(std::string_view frame) {
  const auto width = frame.substr(6, 3), height = frame.substr(9, 3);  // both minus 1
  const auto chunks = frame.substr(kFrameHeader);
  std::string body = "WEBP";
  if (chunks.starts_with("ALPH")) {
    const auto flags = std::string("\x10") + std::string(3, '\0');
    body += "VP8X" + number_bytes(10, 4, kLittle) + flags + std::string(width) + std::string(height);
  }
  body += chunks;
  return "RIFF" + number_bytes(static_cast<std::uint32_t>(body.size()), 4, kLittle) + body;
}

}  // namespace

bool is_webp(std::string_view bytes) {
  return bytes.size() > kFileHeader && bytes.starts_with("RIFF") && bytes.substr(8).starts_with("WEBP");
}

std::string_view webp_chunk(std::string_view bytes, std::string_view kind) {
  return find_chunk(bytes, kFileHeader, kind);
}

WebpFrame first_webp_frame(std::string_view bytes) {
  const auto canvas = webp_chunk(bytes, "VP8X"), frame = webp_chunk(bytes, "ANMF");
  if (canvas.size() < 10 || frame.size() <= kFrameHeader) return {};
  return {.file = still_webp(frame),
          .width = std::int64_t{read_number(canvas, 4, 3, kLittle)} + 1,
          .height = std::int64_t{read_number(canvas, 7, 3, kLittle)} + 1,
          .left = 2 * std::int64_t{read_number(frame, 0, 3, kLittle)},
          .top = 2 * std::int64_t{read_number(frame, 3, 3, kLittle)}};
}

}  // namespace sfumato
