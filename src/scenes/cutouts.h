#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "scenes/things.h"

namespace sfumato {

/// Folders of the pictures of Debian's packages and of our own drawings.
struct ImageSources {
  std::filesystem::path emoji_font = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";
  std::filesystem::path stamps = "/usr/share/tuxpaint/stamps";
  std::filesystem::path clipart = "/usr/share/openclipart/svg";
  std::filesystem::path drawings;
};

/// Pictures cropped to their visible part and fitted into squares, centred.
struct Cutouts {
  torch::Tensor rgba;  // uint8 [K, 4, S, S], straight alpha
  /// Width and height of each as fractions of its square.
  struct Extent {
    double width = 1, height = 1;
  };
  std::vector<Extent> extents;
};

/// Called with the number of rendered pictures and of all pictures.
using OnImage = std::function<void(std::size_t done, std::size_t all)>;

/// Renders pictures into squares of `size` pixels, SVG by rsvg-convert. Throws std::runtime_error naming a picture that
/// is missing, unreadable or fully transparent, and its package.
Cutouts render_cutouts(const std::vector<Image>& images, const ImageSources& sources, std::int64_t size,
                       const OnImage& on_image = {});

}  // namespace sfumato
