#pragma once

#include <torch/torch.h>

#include <filesystem>

namespace sfumato {

/// Reads a picture file as float32 [1, 3, H, W] in [-1, 1], RGB: PNG, GIF (its first frame) and what OpenCV's imgcodecs
/// reads (JPEG also CMYK, WebP also animated, TIFF, BMP, ...), of 8 or 16 bits or floats in [0, 1], grey or colour,
/// turned as its EXIF orientation says. Transparent parts show white behind them. Throws std::runtime_error naming
/// `path` where it cannot be read, is no picture, is truncated or has pixels of another kind.
torch::Tensor read_image(const std::filesystem::path& path);

/// Reads a mask likewise, as float32 [1, 1, H, W] in [0, 1]: colours as grey (ITU-R 601, rounded to 8 bits as Pillow
/// does), transparent parts as black, so that paint on a transparent ground is a mask too.
torch::Tensor read_mask(const std::filesystem::path& path);

}  // namespace sfumato
