#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// Writes an image, float32 [3, H, W] in [0, 1], as PNG. Throws std::runtime_error naming the path.
void write_png(const std::filesystem::path& path, const torch::Tensor& image);

/// Arranges images [N, 3, S, S] side by side in rows of `columns`, each with its caption below in small letters.
torch::Tensor captioned_sheet(const torch::Tensor& images, const std::vector<std::string>& captions,
                              std::int64_t columns);

}  // namespace sfumato
