#include "images/read.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>

#include "core/files.h"
#include "core/number_text.h"
#include "images/exif.h"
#include "images/gif.h"
#include "images/jpeg.h"
#include "images/png.h"
#include "images/webp.h"

namespace sfumato {
namespace {

/// Discards all output to file descriptor 2 during its lifetime: OpenCV's codecs (libpng, libjpeg, libtiff) print their
/// warnings there without an alternative; errors are thrown. One at a time: the descriptor belongs to the process.
class SilencedStderr {
 public:
  SilencedStderr() : lock_(mutex()), saved_(::dup(STDERR_FILENO)) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (saved_ >= 0 && nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
    if (nowhere >= 0) ::close(nowhere);
  }
  ~SilencedStderr() {
    if (saved_ < 0) return;
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
  }
  SilencedStderr(const SilencedStderr&) = delete;
  SilencedStderr& operator=(const SilencedStderr&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex only;
    return only;
  }
  std::lock_guard<std::mutex> lock_;
  int saved_;
};

/// Turns an image [H, W, C] by EXIF's orientation: 5 to 8 are mirrored about the diagonal first, then sideways, both
/// ways or upside down.
torch::Tensor turned(torch::Tensor image, int orientation) {
  if (orientation > 4) image = image.transpose(0, 1);
  const int kind = (orientation - 1) % 4;
  if (kind == 1) return image.flip(1);
  if (kind == 2) return image.flip({0, 1});
  return kind == 3 ? image.flip(0) : image;
}

/// Decodes an image with OpenCV as it is stored; empty on failure. A TIFF is turned by its own orientation.
cv::Mat decode_mat(std::string_view bytes) {
  const cv::Mat buffer(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const SilencedStderr silenced;
  try {
    const auto mat = cv::imdecode(buffer, cv::IMREAD_UNCHANGED);
    return mat.isContinuous() ? mat : mat.clone();
  } catch (const cv::Exception&) {
    return {};
  }
}

/// Returns [H, W, C] in [0, 1] with OpenCV's order of channels.
torch::Tensor unit_range(const cv::Mat& mat) {
  const std::vector<std::int64_t> shape = {mat.rows, mat.cols, mat.channels()};
  void* data = mat.data;
  if (mat.depth() == CV_8U) return torch::from_blob(data, shape, torch::kUInt8).to(torch::kFloat32) / 255;
  if (mat.depth() == CV_16U) return torch::from_blob(data, shape, torch::kUInt16).to(torch::kFloat32) / 65535;
  if (mat.depth() != CV_32F && mat.depth() != CV_64F) throw std::runtime_error("unknown kind of pixels");
  const auto dtype = mat.depth() == CV_32F ? torch::kFloat32 : torch::kFloat64;
  auto values = torch::from_blob(data, shape, dtype).to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
  const auto least = values.min().item<float>(), most = values.max().item<float>();
  if (!(least >= 0 && most <= 1))
    throw std::runtime_error("floating-point pixels from " + number_text(least) + " to " + number_text(most) +
                             ", expected 0 to 1");
  return values;
}

bool is_tiff(std::string_view bytes) {
  return bytes.starts_with("II*") || bytes.starts_with("MM");
}

/// Returns the largest value of a binary PGM or PPM ("P5 WIDTH HEIGHT MAXIMUM", with comments), by which OpenCV does
/// not scale; 0 for other files.
int netpbm_maximum(std::string_view bytes) {
  if (!bytes.starts_with("P5") && !bytes.starts_with("P6")) return 0;
  std::size_t at = 2;
  int value = 0;
  for (int numbers = 0; numbers < 3; ++numbers) {
    at = std::min(bytes.find_first_not_of(" \t\r\n", at), bytes.size());
    for (; at < bytes.size() && bytes[at] == '#'; at = std::min(bytes.find_first_not_of(" \t\r\n", at), bytes.size()))
      at = std::min(bytes.find('\n', at), bytes.size());
    const auto [stopped, error] = std::from_chars(bytes.data() + at, bytes.data() + bytes.size(), value);
    if (error != std::errc()) return 0;
    at = static_cast<std::size_t>(stopped - bytes.data());
  }
  return value;
}

/// Decodes an image with OpenCV as [H, W, 3 or 4] RGB or RGBA in [0, 1].
torch::Tensor decode_by_opencv(std::string_view bytes) {
  const auto mat = decode_mat(bytes);
  if (mat.empty()) throw std::runtime_error("not a picture in a known format, or damaged");
  auto unit = unit_range(mat);
  if (const int most = netpbm_maximum(bytes); most > 0)
    unit = (unit * ((mat.depth() == CV_8U ? 255.0 : 65535.0) / most)).clamp(0, 1);
  const auto channels = unit.size(2);
  if (channels <= 2) {
    if (is_tiff(bytes) && tiff_samples(bytes) == 2)  // OpenCV drops its alpha
      throw std::runtime_error("a TIFF of grey with alpha is not supported; save it as a PNG");
    return unit.slice(2, 0, 1).repeat({1, 1, 3});
  }
  const auto colors = unit.slice(2, 0, 3).flip(2);
  return channels == 4 ? torch::cat({colors, unit.slice(2, 3)}, 2) : colors;
}

torch::Tensor decode_webp_frame(const WebpFrame& frame) {
  auto pixels = decode_by_opencv(frame.file);
  if (pixels.size(2) == 3) pixels = torch::cat({pixels, torch::ones_like(pixels.slice(2, 0, 1))}, 2);
  auto canvas = torch::zeros({frame.height, frame.width, 4});
  const auto place =
      canvas.slice(0, frame.top, frame.top + pixels.size(0)).slice(1, frame.left, frame.left + pixels.size(1));
  if (place.sizes() != pixels.sizes()) throw std::runtime_error("damaged WebP: a frame beyond its canvas");
  place.copy_(pixels);
  return canvas;
}

/// Decodes an image as it is stored: [H, W, 3 or 4] in [0, 1].
torch::Tensor decode(std::string_view bytes) {
  if (bytes.empty()) throw std::runtime_error("the file is empty");
  if (is_png(bytes)) return decode_png(bytes);
  if (is_gif(bytes)) return decode_gif(bytes);
  if (const auto frame = first_webp_frame(bytes); is_webp(bytes) && !frame.file.empty())
    return decode_webp_frame(frame);
  if (is_jpeg(bytes) && !is_whole_jpeg(bytes)) throw std::runtime_error("truncated JPEG");
  return decode_by_opencv(bytes);
}

/// Composites RGB or RGBA [H, W, C] in [0, 1] onto a ground from black, 0, to white, 1: [H, W, 3] RGB. libtiff
/// multiplies colours by alpha unless the file leaves its alpha's kind unspecified; then no colour exceeds its alpha.
torch::Tensor rgb_on(double ground, const torch::Tensor& image, bool is_tiff) {
  auto colors = image.slice(2, 0, 3);
  if (image.size(2) == 3) return colors;
  const auto alpha = image.slice(2, 3);
  const bool multiplied = is_tiff && (colors <= alpha).all().item<bool>();
  return (multiplied ? colors : colors * alpha) + ground * (1 - alpha);
}

/// Reads [H, W, 3] RGB in [0, 1].
torch::Tensor read_rgb(const std::filesystem::path& path, double ground) {
  const auto bytes = read_file(path);
  try {
    return rgb_on(ground, turned(decode(bytes), exif_orientation(bytes)), is_tiff(bytes));
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("cannot read '" + path.string() + "': " + error.what());
  }
}

}  // namespace

torch::Tensor read_image(const std::filesystem::path& path) {
  return (read_rgb(path, 1) * 2 - 1).permute({2, 0, 1}).unsqueeze(0).contiguous();  // [1, 3, H, W]
}

torch::Tensor read_mask(const std::filesystem::path& path) {
  const auto bytes = (read_rgb(path, 0) * 255).round().to(torch::kInt64);
  // Pillow's weights of 299, 587 and 114 thousandths, in 16 bits of fixed point.
  const auto weighted = bytes.select(2, 0) * 19595 + bytes.select(2, 1) * 38470 + bytes.select(2, 2) * 7471;
  const auto grey = (weighted + 0x8000).bitwise_right_shift(16);
  return (grey.to(torch::kFloat32) / 255).unsqueeze(0).unsqueeze(0);  // [1, 1, H, W]
}

}  // namespace sfumato
