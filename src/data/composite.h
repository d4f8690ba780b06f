#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace sfumato {

/// Cut-outs at full, half and quarter size, alpha-premultiplied: sampling a small copy from the level nearest to its
/// size avoids aliasing.
class CutoutPyramid {
 public:
  /// `cutouts`: uint8 [K, 4, S, S], RGBA with straight alpha; kept on `device` as uint8.
  CutoutPyramid(const torch::Tensor& cutouts, torch::Device device);

  /// Premultiplied RGBA, float32 in [0, 1], [N, 4, S/2^level, S/2^level] of the cut-outs `indices` (int64 [N]).
  torch::Tensor gather(std::int64_t level, const torch::Tensor& indices) const;

  /// Returns the level to sample for a copy `pixels` wide: the coarsest that is not smaller than the copy.
  std::int64_t level_for(double pixels) const;

  torch::Device device() const { return levels_.front().device(); }

 private:
  std::vector<torch::Tensor> levels_;
};

/// Composed scenes as the pack stores them: items [N, I, 6] (cut-out or -1, centre x, centre y, side, flip, rotation
/// in radians, clockwise) and background [N, 8] (kind, top colour, bottom colour, horizon), float32 on the CPU, lengths
/// as fractions of the image's side.
struct SceneBatch {
  torch::Tensor items;
  torch::Tensor background;
};

/// Paints the backgrounds alone: kind 0 is the flat top colour, 1 a vertical gradient, 2 a sky that pales towards the
/// horizon above a ground. Float32 [N, 3, size, size] in [0, 1] on `device`.
torch::Tensor paint_backgrounds(const torch::Tensor& background, std::int64_t size, torch::Device device);

/// Paints each scene's items over its background in order: float32 [N, 3, size, size] in [0, 1] on the pyramid's
/// device. An image does not depend on the other scenes of the batch.
torch::Tensor compose_scenes(const CutoutPyramid& cutouts, const SceneBatch& scenes, std::int64_t size);

}  // namespace sfumato
