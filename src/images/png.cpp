#include "images/png.h"

#include <png.h>

#include <bit>
#include <cstring>
#include <ostream>
#include <stdexcept>

#include "core/files.h"
#include "images/latin1.h"
#include "images/pixels.h"

namespace sfumato {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 30;

// libpng reports errors by longjmp: functions that call it hold no C++ object whose destructor a jump would skip, and
// store the message in `Stream::error`.
struct Stream {
  std::string bytes{};        ///< output
  std::string_view source{};  ///< input
  std::size_t position = 0;
  char error[128] = "";
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto* stream = static_cast<Stream*>(png_get_error_ptr(png));
  std::strncpy(stream->error, message, sizeof stream->error - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void append(png_structp png, png_bytep data, png_size_t size) {
  static_cast<Stream*>(png_get_io_ptr(png))->bytes.append(reinterpret_cast<const char*>(data), size);
}

void on_flush(png_structp) {}

void consume(png_structp png, png_bytep data, png_size_t size) {
  auto* stream = static_cast<Stream*>(png_get_io_ptr(png));
  if (stream->source.size() - stream->position < size) png_error(png, "the file is truncated");
  std::memcpy(data, stream->source.data() + stream->position, size);
  stream->position += size;
}

/// Returns a text chunk that points into the given strings.
png_text text_chunk(std::string& keyword, std::string& text, bool latin1) {
  png_text chunk = {};
  chunk.compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  chunk.key = keyword.data();
  chunk.text = text.data();
  (latin1 ? chunk.text_length : chunk.itxt_length) = text.size();
  return chunk;
}

struct RgbRows {
  std::uint8_t* pixels;  // [height, width, 3]
  png_uint_32 height, width;
};

bool write_rows(Stream& stream, const RgbRows& rows, std::vector<png_text>& chunks) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, on_error, on_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, &stream, append, on_flush);
  png_set_IHDR(png, info, rows.width, rows.height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_text(png, info, chunks.data(), static_cast<int>(chunks.size()));
  png_write_info(png, info);
  for (png_uint_32 row = 0; row < rows.height; ++row)
    png_write_row(png, rows.pixels + std::size_t{row} * rows.width * 3);
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return true;
}

/// libpng's two structs for reading from a stream.
struct Reader {
  explicit Reader(Stream& stream)
      : png(png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, on_error, on_warning)),
        info(png_create_info_struct(png)) {}
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  png_structp png;
  png_infop info;
};

[[noreturn]] void fail(const Stream& stream) {
  throw std::runtime_error(stream.error);
}

/// Reads up to the pixels.
bool read_header(Stream& stream, png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, &stream, consume);
  png_read_info(png, info);
  return true;
}

/// Converts every kind of pixel to RGBA of 8 or 16 bits, in this machine's byte order.
bool expand(png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_expand(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xFFFF, PNG_FILLER_AFTER);
  if constexpr (std::endian::native == std::endian::little) png_set_swap(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}

bool read_rows(png_structp png, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_read_image(png, rows.data());
  png_read_end(png, nullptr);
  return true;
}

}  // namespace

std::string encode_png(const torch::Tensor& image, const TextChunks& texts) {
  const auto pixels = to_bytes(image);  // [H, W, 3]
  auto owned = texts;
  std::vector<png_text> chunks;
  for (auto& [keyword, text] : owned) {
    const auto latin1 = latin1_from_utf8(text);
    if (latin1) text = *latin1;
    chunks.push_back(text_chunk(keyword, text, latin1.has_value()));
  }
  Stream stream;
  const RgbRows rows{pixels.data_ptr<std::uint8_t>(), static_cast<png_uint_32>(pixels.size(0)),
                     static_cast<png_uint_32>(pixels.size(1))};
  if (!write_rows(stream, rows, chunks)) throw std::runtime_error(std::string("cannot make a PNG: ") + stream.error);
  return std::move(stream.bytes);
}

void write_png(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts) {
  const auto bytes = encode_png(image, texts);
  write_file_atomically(path, [&](std::ostream& out) { out << bytes; });
}

bool is_png(std::string_view bytes) {
  return bytes.starts_with("\x89PNG\r\n\x1A\n");
}

torch::Tensor decode_png(std::string_view bytes) {
  Stream stream{.source = bytes};
  const Reader reader(stream);
  std::vector<png_bytep> rows;
  if (!read_header(stream, reader.png, reader.info) || !expand(reader.png, reader.info)) fail(stream);
  const std::int64_t height = png_get_image_height(reader.png, reader.info);
  const std::int64_t width = png_get_image_width(reader.png, reader.info);
  if (height * width > kMostPixels) throw std::runtime_error("more pixels than 2^30");
  const bool wide = png_get_bit_depth(reader.png, reader.info) == 16;
  auto pixels = torch::empty({height, width, 4}, wide ? torch::kUInt16 : torch::kUInt8);
  auto* data = static_cast<png_bytep>(pixels.data_ptr());
  for (std::int64_t row = 0; row < height; ++row) rows.push_back(data + row * width * (wide ? 8 : 4));
  if (!read_rows(reader.png, rows)) fail(stream);
  return pixels.to(torch::kFloat32) / (wide ? 65535 : 255);
}

TextChunks png_texts(std::string_view bytes) {
  Stream stream{.source = bytes};
  const Reader reader(stream);
  if (!read_header(stream, reader.png, reader.info)) fail(stream);
  png_textp chunks = nullptr;
  int count = 0;
  png_get_text(reader.png, reader.info, &chunks, &count);
  TextChunks texts;
  for (int i = 0; i < count; ++i) {
    const bool utf8 = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    const std::string text(chunks[i].text, utf8 ? chunks[i].itxt_length : chunks[i].text_length);
    texts.emplace_back(chunks[i].key, utf8 ? text : utf8_from_latin1(text));
  }
  return texts;
}

}  // namespace sfumato
