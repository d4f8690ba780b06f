#pragma once

#include <torch/torch.h>

#include <filesystem>

namespace sfumato {

/// Reads an image file as float32 [1, 3, H, W] in [-1, 1], RGB: PNG, GIF (its first frame) and the formats of OpenCV's
/// imgcodecs (JPEG also CMYK, WebP also animated, TIFF, BMP, ...), of 8 or 16 bits or floats in [0, 1], grey or colour,
/// turned by its EXIF orientation. Transparent parts are composited onto white. Throws std::runtime_error naming
/// `path` if it cannot be read, is no image, is truncated or has pixels of another kind.
torch::Tensor read_image(const std::filesystem::path& path);

/// Reads a mask in the same way, as float32 [1, 1, H, W] in [0, 1]: colours as grey (ITU-R 601, rounded to 8 bits as
/// Pillow does), transparent parts as black, so that paint on a transparent ground is a mask too.
torch::Tensor read_mask(const std::filesystem::path& path);

}  // namespace sfumato
