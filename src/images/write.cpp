#include "images/write.h"

#include <algorithm>
#include <cctype>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>

#include "core/files.h"
#include "images/bytes.h"
#include "images/exif_text.h"
#include "images/jpeg.h"
#include "images/pixels.h"
#include "images/webp.h"

namespace sfumato {
namespace {

using namespace std::string_view_literals;

constexpr auto kExifHeader = "Exif\0\0"sv;
constexpr std::size_t kMostSegment = 65533;

std::string lower_extension(const std::filesystem::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

std::string encode(const std::string& extension, const torch::Tensor& image, int quality) {
  const auto pixels = to_bytes(image).flip(2).contiguous();  // [H, W, 3] BGR
  const cv::Mat mat(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3, pixels.data_ptr());
  const auto flag = extension == ".webp" ? cv::IMWRITE_WEBP_QUALITY : cv::IMWRITE_JPEG_QUALITY;
  std::vector<std::uint8_t> bytes;
  try {
    if (cv::imencode(extension, mat, bytes, {flag, quality})) return {bytes.begin(), bytes.end()};
  } catch (const cv::Exception&) {  // a side above the format's limit
  }
  throw std::runtime_error("cannot make a " + extension.substr(1) + " of " + std::to_string(mat.cols) + "x" +
                           std::to_string(mat.rows) + " pixels");
}

std::string too_long_text(std::size_t bytes) {
  return "the record of prompt and settings takes " + std::to_string(bytes) + " bytes, and a JPEG holds " +
         std::to_string(kMostSegment) + ": expected a shorter prompt, or a name that ends in .png or .webp";
}

/// Inserts the segment APP1 as the first one.
std::string jpeg_with_exif(const std::string& jpeg, const std::string& exif) {
  const auto content = std::string(kExifHeader) + exif;
  if (content.size() > kMostSegment) throw std::runtime_error(too_long_text(content.size()));
  const auto length = number_bytes(static_cast<std::uint32_t>(content.size() + 2), 2, ByteOrder::big);
  return jpeg.substr(0, 2) + "\xFF\xE1" + length + content + jpeg.substr(2);
}

/// Returns the extended form of a WebP without alpha: VP8X announces EXIF, which comes last.
std::string webp_with_exif(const std::string& webp, const std::string& exif, std::int64_t height, std::int64_t width) {
  constexpr auto kLittle = ByteOrder::little;
  const auto size = [](std::int64_t value, std::size_t bytes) {
    return number_bytes(static_cast<std::uint32_t>(value), bytes, kLittle);
  };
  const auto body = "WEBPVP8X" + size(10, 4) + size(0x08, 4) + size(width - 1, 3) + size(height - 1, 3) +
                    webp.substr(12) + "EXIF" + size(static_cast<std::int64_t>(exif.size()), 4) + exif +
                    std::string(exif.size() % 2, '\0');
  return "RIFF" + size(static_cast<std::int64_t>(body.size()), 4) + body;
}

std::string encode_image(const std::string& extension, const torch::Tensor& image, const TextChunks& texts,
                         int quality) {
  if (extension == ".png") return encode_png(image, texts);
  auto bytes = encode(extension, image, quality);
  if (texts.empty()) return bytes;
  if (extension == ".webp") return webp_with_exif(bytes, make_exif(texts), image.size(-2), image.size(-1));
  return jpeg_with_exif(bytes, make_exif(texts));
}

std::string_view jpeg_exif(std::string_view bytes) {
  for (const auto content : jpeg_app1_segments(bytes))
    if (content.starts_with(kExifHeader)) return content;
  return {};
}

}  // namespace

bool is_writable_format(const std::filesystem::path& path) {
  const auto extension = lower_extension(path);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".webp";
}

bool has_quality(const std::filesystem::path& path) {
  return is_writable_format(path) && lower_extension(path) != ".png";
}

void check_texts_fit(const std::filesystem::path& path, const TextChunks& texts, std::size_t others) {
  if (const auto extension = lower_extension(path); extension != ".jpg" && extension != ".jpeg") return;
  const auto bytes = kExifHeader.size() + make_exif(texts).size() + others;
  if (bytes > kMostSegment) throw std::invalid_argument("output '" + path.string() + "': " + too_long_text(bytes));
}

void write_image(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts, int quality) {
  std::string bytes;
  try {
    bytes = encode_image(lower_extension(path), image, texts, quality);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("cannot write '" + path.string() + "': " + error.what());
  }
  write_file_atomically(path, [&](std::ostream& out) { out << bytes; });
}

TextChunks read_image_texts(const std::filesystem::path& path) {
  const auto bytes = read_file(path);
  if (is_jpeg(bytes)) return exif_texts(jpeg_exif(bytes));
  if (is_webp(bytes)) return exif_texts(webp_chunk(bytes, "EXIF"));
  if (!is_png(bytes)) throw std::runtime_error("'" + path.string() + "' is no PNG, JPEG or WebP file");
  try {
    return png_texts(bytes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("cannot read '" + path.string() + "': " + error.what());
  }
}

}  // namespace sfumato
