#include "scenes/cutouts.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <opencv2/imgproc.hpp>
#include <optional>
#include <stdexcept>
#include <thread>

#include "core/files.h"
#include "scenes/bgra.h"
#include "scenes/emoji_font.h"

namespace sfumato {
namespace {

/// SVG is rendered larger than needed: its drawing may fill only a part of its page.
constexpr int kSvgScale = 4;
/// Pixels with less alpha are not part of the thing: soft shadows end there.
constexpr int kVisible = 16;

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) result += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return result + "'";
}

/// Renders an SVG to PNG bytes, its longer side `pixels`.
std::string render_svg(const std::filesystem::path& path, int pixels) {
  const auto side = std::to_string(pixels);
  const auto command = "rsvg-convert -a -w " + side + " -h " + side + " " + quoted(path.string()) + " 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (!pipe) throw std::runtime_error("cannot start rsvg-convert");
  std::string bytes;
  char buffer[65536];
  for (std::size_t got = 0; (got = fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) bytes.append(buffer, got);
  return bytes;
}

/// Maps each kind of source to its folder and to the package that provides it.
class ImageReader {
 public:
  ImageReader(const ImageSources& sources, std::int64_t size) : sources_(sources), size_(size) {}

  cv::Mat read(const std::string& source) {
    const auto colon = source.find(':');
    const auto kind = source.substr(0, colon), place = source.substr(colon + 1);
    if (kind == "emoji") return decode_bgra(emoji(place));
    if (kind == "stamp") return read_file_of(sources_.stamps / place, "tuxpaint-stamps-default");
    if (kind == "clipart") return read_file_of(sources_.clipart / place, "openclipart-svg");
    if (kind == "drawing") return read_file_of(sources_.drawings / place, "this project");
    throw std::runtime_error("unknown source '" + source + "', expected emoji:, stamp:, clipart: or drawing:");
  }

 private:
  std::string_view emoji(const std::string& code) {
    const std::lock_guard lock(mutex_);
    if (!font_) {
      if (!std::filesystem::exists(sources_.emoji_font)) {
        throw std::runtime_error(sources_.emoji_font.string() + " is not there; it is in fonts-noto-color-emoji");
      }
      font_.emplace(sources_.emoji_font);
    }
    return font_->png(static_cast<std::uint32_t>(std::stoul(code, nullptr, 16)));
  }

  cv::Mat read_file_of(const std::filesystem::path& path, const std::string& package) const {
    if (!std::filesystem::exists(path)) throw std::runtime_error(path.string() + " is not there; it is in " + package);
    if (path.extension() == ".svg") return decode_bgra(render_svg(path, static_cast<int>(size_) * kSvgScale));
    return decode_bgra(read_file(path));
  }

  const ImageSources& sources_;
  const std::int64_t size_;
  std::mutex mutex_;
  std::optional<EmojiFont> font_;
};

/// Resizes with premultiplied alpha, so that transparent pixels do not colour the edge.
cv::Mat resized(const cv::Mat& bgra, cv::Size size) {
  cv::Mat wide;
  bgra.convertTo(wide, CV_32F, 1.0 / 255);
  for (int y = 0; y < wide.rows; ++y) {
    for (int x = 0; x < wide.cols; ++x) {
      auto& pixel = wide.at<cv::Vec4f>(y, x);
      for (int c = 0; c < 3; ++c) pixel[c] *= pixel[3];
    }
  }
  const bool smaller = size.width < bgra.cols;
  cv::resize(wide, wide, size, 0, 0, smaller ? cv::INTER_AREA : cv::INTER_CUBIC);
  for (int y = 0; y < wide.rows; ++y) {
    for (int x = 0; x < wide.cols; ++x) {
      auto& pixel = wide.at<cv::Vec4f>(y, x);
      for (int c = 0; c < 3; ++c) pixel[c] = pixel[3] > 1e-4F ? pixel[c] / pixel[3] : 0;
    }
  }
  cv::Mat narrow;
  wide.convertTo(narrow, CV_8U, 255);
  return narrow;
}

/// Crops to the visible part and fits it, one pixel from the edge, into `square` (RGBA planes, [4, S, S]).
Cutouts::Extent fit(const cv::Mat& bgra, const torch::Tensor& square) {
  cv::Mat alpha;
  cv::extractChannel(bgra, alpha, 3);
  const auto box = cv::boundingRect(alpha >= kVisible);
  if (box.empty()) throw std::runtime_error("the picture is empty");
  const int size = static_cast<int>(square.size(1));
  const double scale = (size - 2.0) / std::max(box.width, box.height);
  const cv::Size target(std::clamp(cvRound(box.width * scale), 1, size - 2),
                        std::clamp(cvRound(box.height * scale), 1, size - 2));
  const auto small = resized(bgra(box), target);
  const int left = (size - target.width) / 2, top = (size - target.height) / 2;
  auto planes = square.accessor<std::uint8_t, 3>();
  for (int y = 0; y < target.height; ++y) {
    for (int x = 0; x < target.width; ++x) {
      const auto& pixel = small.at<cv::Vec4b>(y, x);
      for (int c = 0; c < 4; ++c) planes[c][top + y][left + x] = pixel[c == 3 ? 3 : 2 - c];
    }
  }
  return {static_cast<double>(target.width) / size, static_cast<double>(target.height) / size};
}

/// Work shared by all threads: each takes the next picture, and the first failure stops them.
struct Job {
  const std::vector<Image>& images;
  ImageReader& reader;
  Cutouts& cutouts;
  const OnImage& on_image;
  std::atomic<std::size_t> next{0};
  std::size_t done = 0;
  std::mutex mutex{};
  std::exception_ptr failure{};

  void run() {
    for (auto i = next++; i < images.size(); i = next++) {
      try {
        cutouts.extents[i] = fit(load(images[i]), cutouts.rgba[static_cast<std::int64_t>(i)]);
        const std::lock_guard lock(mutex);
        ++done;
        if (on_image) on_image(done, images.size());
      } catch (const std::exception& error) {
        const std::lock_guard lock(mutex);
        if (!failure) {
          failure = std::make_exception_ptr(std::runtime_error(images[i].source + ": " + error.what()));
        }
        next = images.size();
      }
    }
  }

  cv::Mat load(const Image& image) {
    auto pixels = reader.read(image.source);
    if (pixels.empty()) throw std::runtime_error("not a readable picture (SVG needs rsvg-convert of librsvg2-bin)");
    return pixels;
  }
};

}  // namespace

Cutouts render_cutouts(const std::vector<Image>& images, const ImageSources& sources, std::int64_t size,
                       const OnImage& on_image) {
  Cutouts cutouts{torch::zeros({static_cast<std::int64_t>(images.size()), 4, size, size}, torch::kUInt8),
                  std::vector<Cutouts::Extent>(images.size())};
  ImageReader reader(sources, size);
  Job job{images, reader, cutouts, on_image};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&job] { job.run(); });
  }
  for (auto& thread : threads) thread.join();
  if (job.failure) std::rethrow_exception(job.failure);
  return cutouts;
}

}  // namespace sfumato
