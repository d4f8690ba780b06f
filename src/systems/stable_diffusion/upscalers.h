#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// A way to enlarge what the first of two passes made.
struct Upscaler {
  std::string name;   ///< on the command line
  std::string label;  ///< in a picture's metadata, as AUTOMATIC1111's web UI writes it
  /// Whether it takes latents [N, C, h, w]; else pictures [N, 3, H, W] in [-1, 1].
  bool of_latents;
  torch::Tensor (*resize)(const torch::Tensor& values, std::int64_t height, std::int64_t width);
};

/// Of latents those of torch.nn.functional.interpolate, of pictures those of Pillow.
const std::vector<Upscaler>& upscalers();

/// Throws std::invalid_argument naming those that there are.
const Upscaler& find_upscaler(const std::string& name);

}  // namespace sfumato
