#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Thresholds of the gradient: a pixel between them is an edge if it touches one above both. The defaults are those of
/// AUTOMATIC1111's web UI for 8-bit images.
struct CannyThresholds {
  double low = 100;
  double high = 200;
};

/// Returns the edges (Canny 1986) that OpenCV finds in the image's 8-bit pixels: white lines on black. Both images are
/// [1, 3, H, W] in [-1, 1].
torch::Tensor canny_edges(const torch::Tensor& image, const CannyThresholds& thresholds = {});

}  // namespace sfumato
