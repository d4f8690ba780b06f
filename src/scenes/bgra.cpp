#include "scenes/bgra.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

namespace sfumato {

cv::Mat decode_bgra(std::string_view bytes) {
  if (bytes.empty()) return {};
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  auto image = cv::imdecode(encoded, cv::IMREAD_UNCHANGED);
  if (image.empty()) return image;
  if (image.depth() == CV_16U) image.convertTo(image, CV_8U, 1.0 / 257);
  if (image.channels() == 1) cv::cvtColor(image, image, cv::COLOR_GRAY2BGRA);
  if (image.channels() == 3) cv::cvtColor(image, image, cv::COLOR_BGR2BGRA);
  return image;
}

}  // namespace sfumato
