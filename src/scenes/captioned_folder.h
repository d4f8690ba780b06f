#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "scenes/cutouts.h"

namespace sfumato {

/// An image file with at least one caption.
struct CaptionedFile {
  std::filesystem::path image;
  std::vector<std::string> captions;
  /// Weight relative to the other files.
  std::int64_t repeats = 1;
};

/// The captioned images of a folder.
struct CaptionedFolder {
  std::vector<CaptionedFile> files{};
  /// Lines for the user about anything left out or filled in.
  std::vector<std::string> notes{};
};

/// Lists the captioned images of a folder, sorted by name. With metadata.jsonl or metadata.csv (Hugging Face's
/// imagefolder): the images in that list. Otherwise each image with a .txt or .caption of the same name beside it, one
/// caption a line, and the images of subfolders named REPEATS_CLASS (kohya's sd-scripts), whose class is the caption of
/// an image without one.
/// Throws std::runtime_error naming the folder, the line or the image without a caption.
CaptionedFolder list_captioned_images(const std::filesystem::path& folder);

/// Reads images as read_image does (images/read.h), scaled to cover size x size and cropped to their middle:
/// uint8 [K, 3, size, size]. Throws std::runtime_error naming an unreadable image.
torch::Tensor read_squares(const std::vector<CaptionedFile>& files, std::int64_t size, const OnImage& on_image = {});

/// Rows of a pack: image `image[i]` has caption `captions[i]`. Every image has rows in proportion to its repeats, in
/// which its captions take turns.
struct CaptionRows {
  std::vector<std::int64_t> image{};
  std::vector<std::string> captions{};
};
CaptionRows caption_rows(const std::vector<CaptionedFile>& files);

}  // namespace sfumato
