#include <gif_lib.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include "images/animation_formats.h"

namespace sfumato {
namespace {

constexpr int kMostColors = 256, kColorBits = 8;

[[noreturn]] void refuse_gif(const std::string& why) {
  throw std::runtime_error("GIF: " + why);
}

int append(GifFileType* gif, const GifByteType* bytes, int count) {
  static_cast<std::string*>(gif->UserData)
      ->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  return count;
}

struct FreeColors {
  void operator()(ColorMapObject* colors) const { GifFreeMapObject(colors); }
};
using Colors = std::unique_ptr<ColorMapObject, FreeColors>;

/// A frame with its own palette.
struct Indexed {
  Colors colors;
  std::vector<GifByteType> pixels;
};

Indexed quantized(const torch::Tensor& frame) {
  const auto height = frame.size(0), width = frame.size(1);
  const auto planes = frame.permute({2, 0, 1}).contiguous();  // [3, H, W]
  auto* red = planes.data_ptr<std::uint8_t>();
  const auto plane = static_cast<std::size_t>(height * width);
  int count = kMostColors;
  Indexed result{.colors = Colors(GifMakeMapObject(kMostColors, nullptr)), .pixels = std::vector<GifByteType>(plane)};
  if (!result.colors ||
      GifQuantizeBuffer(static_cast<unsigned>(width), static_cast<unsigned>(height), &count, red, red + plane,
                        red + 2 * plane, result.pixels.data(), result.colors->Colors) == GIF_ERROR)
    refuse_gif("out of memory");
  return result;
}

/// Writes a GIF into a string.
class GifWriter {
 public:
  GifWriter(std::int64_t height, std::int64_t width)
      : height_(static_cast<int>(height)), width_(static_cast<int>(width)) {
    if (height > 0xffff || width > 0xffff) refuse_gif("a side is longer than 65535 pixels");
    int error = 0;
    gif_ = EGifOpen(&bytes_, append, &error);
    if (gif_ == nullptr) refuse_gif(GifErrorString(error));
    EGifSetGifVersion(gif_, true);
    check(EGifPutScreenDesc(gif_, width_, height_, kColorBits, 0, nullptr));
    repeat_for_ever();
  }
  ~GifWriter() {
    if (gif_ != nullptr) EGifCloseFile(gif_, nullptr);
  }
  GifWriter(const GifWriter&) = delete;

  void add(const torch::Tensor& frame, std::int64_t milliseconds) {
    auto image = quantized(frame);
    const GraphicsControlBlock control{.DisposalMode = DISPOSE_DO_NOT,
                                       .UserInputFlag = false,
                                       .DelayTime = static_cast<int>(milliseconds / 10),
                                       .TransparentColor = NO_TRANSPARENT_COLOR};
    std::array<GifByteType, 4> extension{};
    EGifGCBToExtension(&control, extension.data());
    check(EGifPutExtension(gif_, GRAPHICS_EXT_FUNC_CODE, extension.size(), extension.data()));
    check(EGifPutImageDesc(gif_, 0, 0, width_, height_, false, image.colors.get()));
    for (int row = 0; row < height_; ++row)
      check(EGifPutLine(gif_, image.pixels.data() + static_cast<std::ptrdiff_t>(row) * width_, width_));
  }
  std::string finish() {
    int error = 0;
    const bool closed = EGifCloseFile(std::exchange(gif_, nullptr), &error) == GIF_OK;
    if (!closed) refuse_gif(GifErrorString(error));
    return std::move(bytes_);
  }

 private:
  void check(int result) const {
    if (result == GIF_ERROR) refuse_gif(GifErrorString(gif_->Error));
  }
  void repeat_for_ever() {
    constexpr std::array<GifByteType, 3> kForEver{1, 0, 0};
    check(EGifPutExtensionLeader(gif_, APPLICATION_EXT_FUNC_CODE));
    check(EGifPutExtensionBlock(gif_, 11, "NETSCAPE2.0"));
    check(EGifPutExtensionBlock(gif_, kForEver.size(), kForEver.data()));
    check(EGifPutExtensionTrailer(gif_));
  }

  int height_, width_;
  std::string bytes_;
  GifFileType* gif_ = nullptr;
};

}  // namespace

std::string encode_animated_gif(const std::vector<torch::Tensor>& frames, const AnimationTiming& timing) {
  GifWriter writer(frames.front().size(0), frames.front().size(1));
  for (const auto& frame : frames) writer.add(frame, &frame == &frames.back() ? timing.last_frame_ms : timing.frame_ms);
  return writer.finish();
}

}  // namespace sfumato
