#include "data/image_folder.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

#include "data/image_fit.h"
#include "data/stored_images.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string>& image_extensions() {
  static const std::vector<std::string> extensions = {".png", ".jpg",  ".jpeg", ".webp",
                                                      ".bmp", ".tiff", ".tif",  ".gif"};
  return extensions;
}

bool is_image_file(const fs::path& path) {
  auto extension = path.extension().string();
  for (auto& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto& known = image_extensions();
  return std::find(known.begin(), known.end(), extension) != known.end() && path.filename().string()[0] != '.';
}

std::vector<fs::path> list_image_files(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw std::runtime_error("'" + folder.string() + "' is no folder of images");
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && is_image_file(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::string known;
  for (const auto& extension : image_extensions()) known += (known.empty() ? "" : ", ") + extension;
  if (files.empty()) throw std::runtime_error("'" + folder.string() + "' holds no images, expected " + known);
  return files;
}

/// Name of the subfolder of `folder` that contains `file`; "" if it lies in the folder itself.
std::string subfolder_of(const fs::path& file, const fs::path& folder) {
  const auto relative = file.lexically_relative(folder);
  return relative.has_parent_path() ? relative.begin()->string() : "";
}

/// Sets the labels if every file lies in a subfolder.
void label_by_subfolders(const std::vector<fs::path>& files, const fs::path& folder, LabelledImages& content) {
  std::set<std::string> names;
  for (const auto& file : files) names.insert(subfolder_of(file, folder));
  if (names.contains("")) return;
  std::vector<std::int64_t> labels;
  for (const auto& file : files) labels.push_back(std::distance(names.begin(), names.find(subfolder_of(file, folder))));
  content.labels = torch::tensor(labels, torch::kInt64);
  content.classes = static_cast<std::int64_t>(names.size());
}

std::unique_ptr<ImageSet> open_folder(const ImageSetOptions& options) {
  if (!options.read_image)
    throw std::runtime_error("'" + options.path.string() +
                             "': this build reads no image files; expected a pack (compose --pack FILE --folder)");
  const auto files = list_image_files(options.path);
  const auto count = static_cast<std::int64_t>(files.size()), size = options.image_size;
  LabelledImages content{torch::empty({count, options.channels, size, size}, torch::kUInt8), {}, 0};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& file = files[static_cast<std::size_t>(i)];
    content.images[i].copy_(to_levels(fit_to(options, options.read_image(file).squeeze(0), file)));
    if (options.on_read) options.on_read(i + 1, count);
  }
  label_by_subfolders(files, options.path, content);
  return std::make_unique<StoredImages>(shuffled(content), options.held_out);
}

}  // namespace

ImageSetFormat image_folder_format() {
  return {.name = "folder",
          .description = "image files in a folder; its subfolders are classes",
          .has_split = false,
          .open = open_folder};
}

}  // namespace sfumato
