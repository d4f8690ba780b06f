#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "scenes/cutouts.h"

namespace sfumato {

/// A picture's file and its caption.
struct CaptionedFile {
  std::filesystem::path image;
  std::string caption;
};

/// The captioned images of a folder, sorted by name: metadata.jsonl with file_name and text (as Hugging Face's
/// imagefolder) where there is one, else each image with a .txt of the same name beside it (as kohya's sd-scripts).
/// Throws std::runtime_error naming the folder, the line or the image without a caption.
std::vector<CaptionedFile> list_captioned_images(const std::filesystem::path& folder);

/// Reads images, scaled so that they cover size x size and cut to their middle; transparency over white. uint8
/// [M, 3, size, size]. Throws std::runtime_error naming the image that cannot be read.
torch::Tensor read_squares(const std::vector<CaptionedFile>& files, std::int64_t size,
                           const OnPicture& on_picture = {});

}  // namespace sfumato
