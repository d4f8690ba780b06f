#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Gradients between which a pixel is an edge if it touches one above; the defaults are those of AUTOMATIC1111's web
/// UI for pictures of 8 bits.
struct CannyThresholds {
  double low = 100;
  double high = 200;
};

/// Edges (Canny 1986), as OpenCV finds them in the picture's 8-bit pixels: white lines on black. Takes and gives
/// [1, 3, H, W] in [-1, 1].
torch::Tensor canny_edges(const torch::Tensor& image, const CannyThresholds& thresholds = {});

}  // namespace sfumato
