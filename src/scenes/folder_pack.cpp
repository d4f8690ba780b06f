#include "scenes/folder_pack.h"

#include <algorithm>

namespace sfumato {

std::int64_t default_held_out(std::int64_t count) {
  constexpr std::int64_t kMost = 1000;
  return std::min(kMost, count / 10);
}

PackContents folder_contents(const std::vector<CaptionedFile>& files, const FolderPackOptions& options) {
  constexpr std::size_t kProbes = 16;
  const auto rows = caption_rows(files);
  PackContents contents{.images = read_squares(files, options.size, options.on_image), .captions = rows.captions};
  if (rows.captions.size() != files.size()) contents.image_indices = torch::tensor(rows.image, torch::kInt64);
  const auto trained = static_cast<std::int64_t>(files.size()) - options.held_out;
  contents.held_out =
      std::count_if(rows.image.begin(), rows.image.end(), [&](std::int64_t image) { return image >= trained; });
  for (std::size_t i = 0; i < files.size() && i < kProbes; ++i) contents.probes.push_back(files[i].captions.front());
  return contents;
}

}  // namespace sfumato
