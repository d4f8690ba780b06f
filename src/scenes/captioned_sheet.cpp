#include "scenes/captioned_sheet.h"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {
namespace {

constexpr int kLine = 11;
constexpr int kLines = 3;

cv::Mat to_bgr(const torch::Tensor& image) {
  const auto bytes = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch::kUInt8).flip(0).permute({1, 2, 0});
  const auto whole = bytes.contiguous();
  return cv::Mat(static_cast<int>(whole.size(0)), static_cast<int>(whole.size(1)), CV_8UC3, whole.data_ptr()).clone();
}

/// Wraps words into lines of at most `width` letters.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines{""};
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    auto& line = lines.back();
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      lines.push_back(word);
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines;
}

}  // namespace

void write_png(const std::filesystem::path& path, const torch::Tensor& image) {
  std::vector<uchar> bytes;
  if (!cv::imencode(".png", to_bgr(image), bytes)) throw std::runtime_error(path.string() + ": cannot encode PNG");
  write_file_atomically(path, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  });
}

torch::Tensor captioned_sheet(const torch::Tensor& images, const std::vector<std::string>& captions,
                              std::int64_t columns) {
  const auto count = static_cast<int>(images.size(0)), size = static_cast<int>(images.size(2));
  const int cell = size + 4, row_height = size + kLine * kLines + 6, across = static_cast<int>(columns);
  cv::Mat sheet((count + across - 1) / across * row_height, across * cell, CV_8UC3, cv::Scalar::all(255));
  for (int i = 0; i < count; ++i) {
    const int left = i % across * cell, top = i / across * row_height;
    to_bgr(images[i]).copyTo(sheet(cv::Rect(left + 2, top + 2, size, size)));
    const auto lines = wrapped(captions.at(i), std::max(8, size / 6));
    for (int k = 0; k < std::min<int>(kLines, static_cast<int>(lines.size())); ++k) {
      cv::putText(sheet, lines[k], {left + 3, top + size + 2 + kLine * (k + 1)}, cv::FONT_HERSHEY_SIMPLEX, .32,
                  cv::Scalar::all(0), 1, cv::LINE_AA);
    }
  }
  const auto bytes = torch::from_blob(sheet.data, {sheet.rows, sheet.cols, 3}, torch::kUInt8);
  return bytes.permute({2, 0, 1}).flip(0).to(torch::kFloat32) / 255;
}

}  // namespace sfumato
