#include "images/canny.h"

#include <opencv2/imgproc.hpp>

#include "images/pixels.h"

namespace sfumato {

torch::Tensor canny_edges(const torch::Tensor& image, const CannyThresholds& thresholds) {
  const auto bytes = to_bytes(image);  // [H, W, 3]
  const auto height = bytes.size(0), width = bytes.size(1);
  const cv::Mat image(static_cast<int>(height), static_cast<int>(width), CV_8UC3, bytes.data_ptr());
  const auto edges = torch::empty({height, width, 1}, torch::kUInt8);
  cv::Mat lines(image.rows, image.cols, CV_8U, edges.data_ptr());
  cv::Canny(image, lines, thresholds.low, thresholds.high);
  return from_bytes(edges.expand({height, width, 3}));
}

}  // namespace sfumato
