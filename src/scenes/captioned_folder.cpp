#include "scenes/captioned_folder.h"

#include <algorithm>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <stdexcept>

#include "core/files.h"
#include "core/json.h"
#include "scenes/bgra.h"

namespace sfumato {
namespace {

bool is_image(const std::filesystem::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const char* known : {".png", ".jpg", ".jpeg", ".webp", ".bmp"}) {
    if (extension == known) return true;
  }
  return false;
}

std::string trimmed(std::string text) {
  for (auto& letter : text) letter = letter == '\n' || letter == '\r' || letter == '\t' ? ' ' : letter;
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

CaptionedFile parse_line(const std::filesystem::path& folder, const std::string& line) {
  const auto entry = Json::parse(line);
  return {folder / entry.at("file_name").get<std::string>(), trimmed(entry.at("text").get<std::string>())};
}

std::vector<CaptionedFile> from_metadata(const std::filesystem::path& folder) {
  const auto path = folder / "metadata.jsonl";
  std::istringstream lines(read_file(path));
  std::vector<CaptionedFile> files;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (trimmed(line).empty()) continue;
    try {
      files.push_back(parse_line(folder, line));
    } catch (const Json::exception&) {
      throw std::runtime_error(path.string() + ":" + std::to_string(number) +
                               ": expected {\"file_name\": \"...\", \"text\": \"...\"}");
    }
  }
  return files;
}

std::vector<CaptionedFile> from_text_files(const std::filesystem::path& folder) {
  std::vector<CaptionedFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!is_image(entry.path())) continue;
    auto text = entry.path();
    text.replace_extension(".txt");
    if (!std::filesystem::exists(text)) {
      throw std::runtime_error(entry.path().string() + " has no caption; expected " + text.filename().string() +
                               " beside it, or a metadata.jsonl");
    }
    files.push_back({entry.path(), trimmed(read_file(text))});
  }
  return files;
}

/// Over white, scaled to cover the square, its middle.
cv::Mat to_square(const cv::Mat& bgra, int size) {
  const auto bgr = over_white(bgra);
  const double scale = static_cast<double>(size) / std::min(bgr.cols, bgr.rows);
  const cv::Size covering(std::max(size, cvRound(bgr.cols * scale)), std::max(size, cvRound(bgr.rows * scale)));
  cv::Mat scaled;
  cv::resize(bgr, scaled, covering, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  return scaled(cv::Rect((covering.width - size) / 2, (covering.height - size) / 2, size, size)).clone();
}

}  // namespace

std::vector<CaptionedFile> list_captioned_images(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) throw std::runtime_error(folder.string() + " is no folder");
  auto files = std::filesystem::exists(folder / "metadata.jsonl") ? from_metadata(folder) : from_text_files(folder);
  if (files.empty()) throw std::runtime_error(folder.string() + ": no captioned images");
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.image < b.image; });
  return files;
}

torch::Tensor read_squares(const std::vector<CaptionedFile>& files, std::int64_t size, const OnPicture& on_picture) {
  auto images = torch::empty({static_cast<std::int64_t>(files.size()), 3, size, size}, torch::kUInt8);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto image = decode_bgra(read_file(files[i].image));
    if (image.empty()) throw std::runtime_error(files[i].image.string() + ": not a readable image");
    const auto square = to_square(image, static_cast<int>(size));
    const auto pixels = torch::from_blob(square.data, {size, size, 3}, torch::kUInt8);
    images[static_cast<std::int64_t>(i)].copy_(pixels.permute({2, 0, 1}).flip(0));
    if (on_picture) on_picture(i + 1, files.size());
  }
  return images;
}

}  // namespace sfumato
