#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sfumato {

/// Keyword and UTF-8 text of a PNG's text chunks, in the order of the file.
using TextChunks = std::vector<std::pair<std::string, std::string>>;

/// A picture ([1, 3, H, W] or [3, H, W], floats in [-1, 1]) as the bytes of an 8-bit RGB PNG. Each text stands before
/// the pixels, as tEXt where it is Latin-1 and as iTXt otherwise (what Pillow's PngInfo.add_text does). Throws
/// std::runtime_error.
std::string encode_png(const torch::Tensor& image, const TextChunks& texts = {});

/// encode_png into a file, atomically (core/files.h).
void write_png(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts = {});

/// Whether the bytes begin as a PNG file does.
bool is_png(std::string_view bytes);

/// Pixels of a PNG of any kind as float32 RGBA [H, W, 4] in [0, 1]: palettes, grey, 1 to 16 bits, interlaced, and every
/// kind of transparency (alpha, tRNS). Throws std::runtime_error with libpng's reason.
torch::Tensor decode_png(std::string_view bytes);

/// Text chunks before a PNG's pixels (tEXt, zTXt, iTXt). Throws std::runtime_error with libpng's reason.
TextChunks png_texts(std::string_view bytes);

}  // namespace sfumato
