#include "images/png.h"

#include <png.h>

#include <cstring>
#include <ostream>
#include <stdexcept>

#include "core/files.h"
#include "images/latin1.h"
#include "images/pixels.h"

namespace sfumato {
namespace {

// libpng reports by longjmp: the functions that call it hold no C++ object whose destructor a jump would skip, and
// leave the message in `Stream::error`.
struct Stream {
  std::string bytes;
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
  if (stream->bytes.size() - stream->position < size) png_error(png, "the file is truncated");
  std::memcpy(data, stream->bytes.data() + stream->position, size);
  stream->position += size;
}

/// A text as a chunk that points into the strings given.
png_text text_chunk(std::string& keyword, std::string& text, bool latin1) {
  png_text chunk = {};
  chunk.compression = latin1 ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
  chunk.key = keyword.data();
  chunk.text = text.data();
  (latin1 ? chunk.text_length : chunk.itxt_length) = text.size();
  return chunk;
}

struct Picture {
  std::uint8_t* pixels;  // [height, width, 3]
  png_uint_32 height, width;
};

bool write_rows(Stream& stream, const Picture& picture, std::vector<png_text>& chunks) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, on_error, on_warning);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, &stream, append, on_flush);
  png_set_IHDR(png, info, picture.width, picture.height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_text(png, info, chunks.data(), static_cast<int>(chunks.size()));
  png_write_info(png, info);
  for (png_uint_32 row = 0; row < picture.height; ++row)
    png_write_row(png, picture.pixels + std::size_t{row} * picture.width * 3);
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return true;
}

/// Reads up to the pixels; `chunks` and `count` then point into `info`.
bool read_header(Stream& stream, png_structp png, png_infop info, png_textp* chunks, int* count) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, &stream, consume);
  png_read_info(png, info);
  png_get_text(png, info, chunks, count);
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
  const Picture picture{pixels.data_ptr<std::uint8_t>(), static_cast<png_uint_32>(pixels.size(0)),
                        static_cast<png_uint_32>(pixels.size(1))};
  if (!write_rows(stream, picture, chunks)) throw std::runtime_error(std::string("cannot make a PNG: ") + stream.error);
  return std::move(stream.bytes);
}

void write_png(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts) {
  const auto bytes = encode_png(image, texts);
  write_file_atomically(path, [&](std::ostream& out) { out << bytes; });
}

TextChunks read_png_texts(const std::filesystem::path& path) {
  Stream stream;
  stream.bytes = read_file(path);
  if (stream.bytes.compare(0, 8, "\x89PNG\r\n\x1A\n") != 0)
    throw std::runtime_error("'" + path.string() + "' is not a PNG file");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream, on_error, on_warning);
  png_infop info = png_create_info_struct(png);
  png_textp chunks = nullptr;
  int count = 0;
  const bool read = read_header(stream, png, info, &chunks, &count);
  TextChunks texts;
  for (int i = 0; read && i < count; ++i) {
    const bool utf8 = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
    const std::string text(chunks[i].text, utf8 ? chunks[i].itxt_length : chunks[i].text_length);
    texts.emplace_back(chunks[i].key, utf8 ? text : utf8_from_latin1(text));
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (!read) throw std::runtime_error("cannot read '" + path.string() + "': " + stream.error);
  return texts;
}

}  // namespace sfumato
