#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>
#include <stdexcept>

#include "images/animation_formats.h"

namespace sfumato {
namespace {

constexpr float kQuality = 90;

[[noreturn]] void refuse_webp(const std::string& why) {
  throw std::runtime_error("WebP: " + why);
}

struct DeleteEncoder {
  void operator()(WebPAnimEncoder* encoder) const { WebPAnimEncoderDelete(encoder); }
};
using Encoder = std::unique_ptr<WebPAnimEncoder, DeleteEncoder>;

Encoder make_encoder(std::int64_t height, std::int64_t width) {
  if (height > WEBP_MAX_DIMENSION || width > WEBP_MAX_DIMENSION)
    refuse_webp("a side is longer than " + std::to_string(WEBP_MAX_DIMENSION) + " pixels");
  WebPAnimEncoderOptions options;
  if (!WebPAnimEncoderOptionsInit(&options)) refuse_webp("its library has another version");
  Encoder encoder(WebPAnimEncoderNew(static_cast<int>(width), static_cast<int>(height), &options));
  if (!encoder) refuse_webp("out of memory");
  return encoder;
}

void add_webp_frame(WebPAnimEncoder& encoder, const torch::Tensor& frame, std::int64_t milliseconds) {
  WebPConfig config;
  WebPPicture image;
  if (!WebPConfigPreset(&config, WEBP_PRESET_PICTURE, kQuality) || !WebPPictureInit(&image))
    refuse_webp("its library has another version");
  const auto bytes = frame.contiguous();
  image.use_argb = 1;
  image.height = static_cast<int>(frame.size(0));
  image.width = static_cast<int>(frame.size(1));
  const bool added = WebPPictureImportRGB(&image, bytes.data_ptr<std::uint8_t>(), 3 * image.width) != 0 &&
                     WebPAnimEncoderAdd(&encoder, &image, static_cast<int>(milliseconds), &config) != 0;
  WebPPictureFree(&image);
  if (!added) refuse_webp(WebPAnimEncoderGetError(&encoder));
}

}  // namespace

std::string encode_animated_webp(const std::vector<torch::Tensor>& frames, const AnimationTiming& timing) {
  const auto encoder = make_encoder(frames.front().size(0), frames.front().size(1));
  std::int64_t shown_at = 0;
  for (const auto& frame : frames) {
    add_webp_frame(*encoder, frame, shown_at);
    shown_at += &frame == &frames.back() ? timing.last_frame_ms : timing.frame_ms;
  }
  WebPData data;
  WebPDataInit(&data);
  const bool made = WebPAnimEncoderAdd(encoder.get(), nullptr, static_cast<int>(shown_at), nullptr) != 0 &&
                    WebPAnimEncoderAssemble(encoder.get(), &data) != 0;
  std::string bytes(reinterpret_cast<const char*>(data.bytes), data.size);
  WebPDataClear(&data);
  if (!made) refuse_webp(WebPAnimEncoderGetError(encoder.get()));
  return bytes;
}

}  // namespace sfumato
