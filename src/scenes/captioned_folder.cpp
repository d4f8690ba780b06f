#include "scenes/captioned_folder.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

#include "core/files.h"
#include "images/pixels.h"
#include "images/read.h"
#include "scenes/folder_metadata.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// True for any image file by its name. An unreadable one counts too, so that the error of reading it names it.
bool is_image(const fs::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const char* known :
       {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".avif", ".heic", ".jxl", ".tga"}) {
    if (extension == known) return true;
  }
  return false;
}

/// Captions of the .txt or .caption beside an image; none if there is neither.
std::vector<std::string> captions_beside(const fs::path& image) {
  std::vector<std::string> captions;
  for (const char* extension : {".txt", ".caption"}) {
    const auto path = fs::path(image).replace_extension(extension);
    if (!fs::exists(path)) continue;
    auto lines = caption_lines(read_file(path));
    if (lines.empty()) lines.emplace_back();
    if (!captions.empty() && captions != lines)
      throw std::runtime_error(image.string() + " has a .txt and a .caption that differ; expected one of them");
    captions = std::move(lines);
  }
  return captions;
}

std::vector<CaptionedFile> with_captions_beside(const fs::path& folder) {
  std::vector<CaptionedFile> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && is_image(entry.path())) files.push_back({entry.path(), captions_beside(entry)});
  return files;
}

/// A subfolder's name as kohya's sd-scripts parse it.
struct ClassFolder {
  std::int64_t repeats = 0;  ///< 0 for a name of another form
  std::string name{};
};

ClassFolder class_folder(const std::string& name) {
  ClassFolder folder;
  const auto* end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data(), end, folder.repeats);
  if (error != std::errc() || stopped == end || *stopped != '_' || folder.repeats < 1) return {};
  folder.name.assign(stopped + 1, end);
  return folder;
}

void add_class_folder(const fs::path& path, const ClassFolder& of, CaptionedFolder& all) {
  std::int64_t filled = 0, count = 0;
  for (auto& file : with_captions_beside(path)) {
    file.repeats = of.repeats;
    ++count;
    if (file.captions.empty()) {
      file.captions = {of.name};
      ++filled;
    }
    all.files.push_back(std::move(file));
  }
  auto note = path.filename().string() + ": " + std::to_string(count) + " images, " + std::to_string(of.repeats) +
              " times each";
  if (filled > 0) note += "; " + std::to_string(filled) + " without a caption file have '" + of.name + "'";
  all.notes.push_back(note);
}

CaptionedFolder from_caption_files(const fs::path& folder) {
  CaptionedFolder all{.files = with_captions_beside(folder)};
  for (const auto& file : all.files) {
    if (file.captions.empty())
      throw std::runtime_error(file.image.string() + " has no caption; expected " + file.image.stem().string() +
                               ".txt or .caption beside it, or a metadata.jsonl or metadata.csv");
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    const auto of = class_folder(entry.path().filename().string());
    if (of.repeats > 0)
      add_class_folder(entry.path(), of, all);
    else
      all.notes.push_back(entry.path().filename().string() + ": left out, since its name is not REPEATS_CLASS");
  }
  std::sort(all.notes.begin(), all.notes.end());
  return all;
}

CaptionedFolder from_metadata(const fs::path& path, std::vector<CaptionedFile> files) {
  CaptionedFolder all{.files = std::move(files)};
  std::int64_t unlisted = 0;
  for (const auto& entry : fs::directory_iterator(path.parent_path())) {
    const auto is_this = [&](const CaptionedFile& file) { return file.image == entry.path(); };
    if (is_image(entry.path()) && std::none_of(all.files.begin(), all.files.end(), is_this)) ++unlisted;
  }
  if (unlisted > 0)
    all.notes.push_back(std::to_string(unlisted) + " images left out, since " + path.filename().string() +
                        " does not list them");
  return all;
}

CaptionedFolder listed(const fs::path& folder) {
  const auto jsonl = folder / "metadata.jsonl", csv = folder / "metadata.csv";
  if (fs::exists(jsonl) && fs::exists(csv))
    throw std::runtime_error(folder.string() + " holds metadata.jsonl and metadata.csv; expected one of them");
  if (fs::exists(jsonl)) return from_metadata(jsonl, read_metadata_jsonl(jsonl));
  if (fs::exists(csv)) return from_metadata(csv, read_metadata_csv(csv));
  return from_caption_files(folder);
}

/// Scales an image to cover the square and crops its middle: [H, W, 3] to [size, size, 3].
torch::Tensor to_square(const torch::Tensor& pixels, int size) {
  const cv::Mat image(static_cast<int>(pixels.size(0)), static_cast<int>(pixels.size(1)), CV_8UC3, pixels.data_ptr());
  const double scale = static_cast<double>(size) / std::min(image.cols, image.rows);
  const cv::Size covering(std::max(size, cvRound(image.cols * scale)), std::max(size, cvRound(image.rows * scale)));
  cv::Mat scaled;
  cv::resize(image, scaled, covering, 0, 0, scale < 1 ? cv::INTER_AREA : cv::INTER_CUBIC);
  const auto square = scaled(cv::Rect((covering.width - size) / 2, (covering.height - size) / 2, size, size)).clone();
  return torch::from_blob(square.data, {size, size, 3}, torch::kUInt8).clone();
}

}  // namespace

CaptionedFolder list_captioned_images(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw std::runtime_error(folder.string() + " is no folder");
  auto all = listed(folder);
  if (all.files.empty()) throw std::runtime_error(folder.string() + ": no captioned images");
  std::sort(all.files.begin(), all.files.end(), [](const auto& a, const auto& b) { return a.image < b.image; });
  return all;
}

torch::Tensor read_squares(const std::vector<CaptionedFile>& files, std::int64_t size, const OnImage& on_image) {
  auto images = torch::empty({static_cast<std::int64_t>(files.size()), 3, size, size}, torch::kUInt8);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto square = to_square(to_bytes(read_image(files[i].image)), static_cast<int>(size));
    images[static_cast<std::int64_t>(i)].copy_(square.permute({2, 0, 1}));
    if (on_image) on_image(i + 1, files.size());
  }
  return images;
}

CaptionRows caption_rows(const std::vector<CaptionedFile>& files) {
  std::int64_t common = 0;
  std::size_t most = 1;
  for (const auto& file : files) {
    common = std::gcd(common, file.repeats);
    most = std::max(most, file.captions.size());
  }
  CaptionRows rows;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto count = static_cast<std::size_t>(files[i].repeats / common) * most;
    for (std::size_t k = 0; k < count; ++k) {
      rows.image.push_back(static_cast<std::int64_t>(i));
      rows.captions.push_back(files[i].captions[k % files[i].captions.size()]);
    }
  }
  return rows;
}

}  // namespace sfumato
