#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// Method to enlarge the result of the first of two passes.
struct Upscaler {
  std::string name;   ///< on the command line
  std::string label;  ///< in an image's metadata, as in AUTOMATIC1111's web UI
  /// True if it takes latents [N, C, h, w]; false for images [N, 3, H, W] in [-1, 1].
  bool of_latents;
  torch::Tensor (*resize)(const torch::Tensor& values, std::int64_t height, std::int64_t width);
};

/// Returns those of torch.nn.functional.interpolate for latents, and Pillow's for images.
const std::vector<Upscaler>& upscalers();

/// Throws std::invalid_argument that lists the available ones.
const Upscaler& find_upscaler(const std::string& name);

}  // namespace sfumato
