#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/videoio.hpp>
#include <stdexcept>

#include "images/animation_formats.h"

namespace sfumato {

void write_mp4(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
               const AnimationTiming& timing) {
  const auto height = frames.front().size(0) / 2 * 2, width = frames.front().size(1) / 2 * 2;
  if (height == 0 || width == 0) throw std::runtime_error("MP4: a side is shorter than 2 pixels");
  const cv::Size size(static_cast<int>(width), static_cast<int>(height));
  cv::VideoWriter writer;
  // All frames have one duration: a longer last frame is repeated.
  const auto repeats = std::max<std::int64_t>(1, timing.last_frame_ms / timing.frame_ms);
  if (!writer.open(path.string(), cv::CAP_FFMPEG, cv::VideoWriter::fourcc('a', 'v', 'c', '1'),
                   1000.0 / static_cast<double>(timing.frame_ms), size))
    throw std::runtime_error("MP4: OpenCV has no encoder for H.264; write a .gif or .webp");
  for (const auto& frame : frames) {
    const auto pixels = frame.slice(0, 0, height).slice(1, 0, width).flip(2).contiguous();  // [H, W, 3] BGR
    const cv::Mat mat(size.height, size.width, CV_8UC3, pixels.data_ptr());
    for (std::int64_t i = 0; i < (&frame == &frames.back() ? repeats : 1); ++i) writer.write(mat);
  }
  writer.release();
}

bool is_whole_mp4(std::string_view bytes) {
  constexpr std::size_t kHeader = 8;  // the box's size in four bytes, its type in four
  bool has_index = false;
  while (bytes.size() >= kHeader) {
    std::size_t size = 0;
    for (const unsigned char byte : bytes.substr(0, 4)) size = size << 8 | byte;
    if (size < kHeader || size > bytes.size()) return false;
    has_index = has_index || bytes.substr(4, 4) == "moov";
    bytes.remove_prefix(size);
  }
  return has_index && bytes.empty();
}

}  // namespace sfumato
