#pragma once

#include <torch/torch.h>

#include <cstddef>
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

/// Throws std::invalid_argument naming `path` if its format cannot hold the texts and `others` more bytes: a JPEG takes
/// 64 KiB, and `parameters` count as UTF-16.
void check_texts_fit(const std::filesystem::path& path, const TextChunks& texts, std::size_t others = 0);

/// Writes an image ([1, 3, H, W] or [3, H, W], floats in [-1, 1]) atomically, as PNG, JPEG or WebP by the name's
/// extension. Texts go into a PNG's text chunks, or into EXIF (images/exif_text.h). Throws std::runtime_error, also for
/// texts that do not fit (check_texts_fit).
void write_image(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts = {},
                 int quality = kDefaultQuality);

/// Reads the texts of an image file: a PNG's text chunks, or those in the EXIF of a JPEG or WebP. Throws
/// std::runtime_error naming `path` if it cannot be read or is of another kind.
TextChunks read_image_texts(const std::filesystem::path& path);

}  // namespace sfumato
