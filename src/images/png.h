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

/// Encodes an image ([1, 3, H, W] or [3, H, W], floats in [-1, 1]) as an 8-bit RGB PNG. Texts are stored before the
/// pixels, as tEXt if Latin-1 and as iTXt otherwise, like Pillow's PngInfo.add_text.
/// Throws std::runtime_error.
std::string encode_png(const torch::Tensor& image, const TextChunks& texts = {});

/// Writes the result of encode_png to a file, atomically (core/files.h).
void write_png(const std::filesystem::path& path, const torch::Tensor& image, const TextChunks& texts = {});

/// True if the bytes begin as a PNG file does.
bool is_png(std::string_view bytes);

/// Decodes a PNG of any kind to float32 RGBA [H, W, 4] in [0, 1]: palettes, grey, 1 to 16 bits, interlaced, and every
/// kind of transparency (alpha, tRNS). Throws std::runtime_error with libpng's reason.
torch::Tensor decode_png(std::string_view bytes);

/// Returns the text chunks before a PNG's pixels (tEXt, zTXt, iTXt). Throws std::runtime_error with libpng's reason.
TextChunks png_texts(std::string_view bytes);

}  // namespace sfumato
