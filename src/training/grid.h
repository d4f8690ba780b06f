#pragma once

#include <torch/torch.h>

#include <filesystem>

namespace sfumato {

/// Tiles images, gaps black: float [N, 3, H, W] in [-1, 1] to uint8 [rows * H, columns * W, 3] on the CPU.
torch::Tensor make_grid(const torch::Tensor& images, std::int64_t columns);

/// Writes uint8 [H, W, 3] as a binary portable pixmap (PPM), atomically.
void write_ppm(const std::filesystem::path& path, const torch::Tensor& image);

}  // namespace sfumato
