#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>

#include "images/png.h"

namespace sfumato {

/// True for the extensions that write_image supports: .png, .jpg, .jpeg, .webp.
bool is_writable_format(const std::filesystem::path& path);

/// True if that format has a quality setting: all but .png.
bool has_quality(const std::filesystem::path& path);

/// Default quality of JPEG and WebP files, of 1 to 100.
inline constexpr int kDefaultQuality = 90;

/// Writes an image ([1, 3, H, W] or [3, H, W], floats in [-1, 1]) atomically, as PNG, JPEG or WebP by the name's
/// extension. Texts go into a PNG's text chunks, or into EXIF (images/exif_text.h). Throws std::runtime_error, also for
/// texts that a JPEG cannot hold (64 KiB).
void write_image(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts = {},
                 int quality = kDefaultQuality);

/// Reads the texts of an image file: a PNG's text chunks, or those in the EXIF of a JPEG or WebP. Throws
/// std::runtime_error naming `path` if it cannot be read or is of another kind.
TextChunks read_image_texts(const std::filesystem::path& path);

}  // namespace sfumato
