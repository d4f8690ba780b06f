#include "images/read.h"

#include <fcntl.h>
#include <unistd.h>

#include <mutex>
#include <opencv2/imgcodecs.hpp>
#include <stdexcept>

#include "core/files.h"
#include "images/exif.h"
#include "images/jpeg.h"

namespace sfumato {
namespace {

/// While it lives, file descriptor 2 leads nowhere: OpenCV's codecs (libpng, libjpeg, libtiff) print their warnings
/// there and offer no other way; what matters of them is thrown. One at a time, since the descriptor is the process's.
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

/// By EXIF's orientation: 5 to 8 are mirrored about the diagonal first, then sideways, both ways or upside down.
cv::Mat turned(cv::Mat picture, int orientation) {
  constexpr int kSideways = 1, kBothWays = -1, kUpsideDown = 0;
  if (orientation > 4) cv::transpose(picture, picture);
  const int kind = (orientation - 1) % 4;
  if (kind > 0) cv::flip(picture, picture, kind == 1 ? kSideways : kind == 2 ? kBothWays : kUpsideDown);
  return picture;
}

bool has_alpha(const cv::Mat& picture) {
  return picture.channels() == 4 || picture.channels() == 2;
}

/// As it is to be seen. OpenCV turns neither a picture asked for as stored, as only alpha is to be had, nor a WebP.
/// Empty where it cannot be decoded.
cv::Mat decode(const std::string& bytes) {
  const cv::Mat buffer(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const SilencedStderr silenced;
  try {
    const auto stored = cv::imdecode(buffer, cv::IMREAD_UNCHANGED);
    if (stored.empty()) return stored;
    if (has_alpha(stored) || is_webp(bytes)) return turned(stored, exif_orientation(bytes));
    return cv::imdecode(buffer, cv::IMREAD_ANYCOLOR | cv::IMREAD_ANYDEPTH);
  } catch (const cv::Exception&) {
    return {};
  }
}

bool is_tiff(const std::string& bytes) {
  return bytes.starts_with("II*") || bytes.starts_with("MM");
}

/// [H, W, C] with OpenCV's channel order, in [0, 1].
torch::Tensor unit_range(const cv::Mat& picture) {
  const std::vector<std::int64_t> shape = {picture.rows, picture.cols, picture.channels()};
  void* data = picture.data;
  if (picture.depth() == CV_8U) return torch::from_blob(data, shape, torch::kUInt8).to(torch::kFloat32) / 255;
  if (picture.depth() == CV_16U) return torch::from_blob(data, shape, torch::kUInt16).to(torch::kFloat32) / 65535;
  if (picture.depth() == CV_32F) return torch::from_blob(data, shape, torch::kFloat32).clamp(0, 1);
  return {};
}

/// [H, W, C] grey, grey and alpha, BGR or BGRA in [0, 1] as [H, W, 3] RGB on a ground from black, 0, to white, 1.
/// libtiff multiplies alpha into the colors unless the file leaves open what its alpha is; none is then above its
/// alpha.
torch::Tensor rgb_on(double ground, const torch::Tensor& picture, bool is_tiff) {
  const auto channels = picture.size(2);
  const auto colors = picture.slice(2, 0, channels <= 2 ? 1 : 3).flip(2).expand({-1, -1, 3});
  if (channels == 1 || channels == 3) return colors;
  const auto alpha = picture.slice(2, channels - 1);
  const bool multiplied = is_tiff && (colors <= alpha).all().item<bool>();
  return (multiplied ? colors : colors * alpha) + ground * (1 - alpha);
}

/// [H, W, 3] RGB in [0, 1].
torch::Tensor read_rgb(const std::filesystem::path& path, double ground) {
  const auto bytes = read_file(path);
  const auto quoted = "'" + path.string() + "'";
  if (bytes.empty()) throw std::runtime_error("cannot read " + quoted + ": the file is empty");
  if (is_jpeg(bytes) && !is_whole_jpeg(bytes)) throw std::runtime_error("cannot read " + quoted + ": truncated JPEG");
  auto picture = decode(bytes);
  if (picture.empty())
    throw std::runtime_error("cannot read " + quoted + ": not a picture in a known format, or damaged");
  if (!picture.isContinuous()) picture = picture.clone();
  const auto unit = unit_range(picture);
  if (!unit.defined()) throw std::runtime_error("cannot read " + quoted + ": unknown kind of pixels");
  return rgb_on(ground, unit, is_tiff(bytes)).clone();  // `unit` may lie in OpenCV's memory
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
