#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "kernels/parallel.h"
#include "kernels/winograd.h"
#include "kernels/winograd_transforms.h"

/// Tiles of Winograd convolutions of whole batches, and the products between their transforms.
namespace sfumato::winograd {

// Number of tiles transformed at once: few enough to stay in the cache, enough for an efficient product.
constexpr std::int64_t kTilesAtOnce = 512;

/// Blocks of kOutputs x kOutputs pixels that cover a batch of images, which are upsampled first.
struct Tiles {
  explicit Tiles(const torch::Tensor& x, std::int64_t upsampling = 1)
      : images(x.size(0)),
        height(x.size(2) * upsampling),
        width(x.size(3) * upsampling),
        rows((height + kOutputs - 1) / kOutputs),
        columns((width + kOutputs - 1) / kOutputs) {}
  std::int64_t count() const { return images * rows * columns; }
  std::int64_t image(std::int64_t tile) const { return tile / (rows * columns); }
  std::int64_t top(std::int64_t tile) const { return tile / columns % rows * kOutputs; }
  std::int64_t left(std::int64_t tile) const { return tile % columns * kOutputs; }

  std::int64_t images, height, width, rows, columns;
};

/// Allocates matrices float32 [36, rows, columns], each contiguous. An additional row between them prevents distances
/// of a power of two, at which the same channel of all points would compete for a few places of the cache.
torch::Tensor empty_points(std::int64_t rows, std::int64_t columns);

/// x W^T for matrices in float32: oneDNN's product, of which LibTorch has no batched form. W may be a transposed one.
torch::Tensor product(const torch::Tensor& x, const torch::Tensor& weight);

/// Returns the norm's map of one image.
inline group_norm::Affine affine_of(const NormAffine& norm, std::int64_t image) {
  const auto first = image * norm.factor.size(1);
  return {norm.factor.const_data_ptr<float>() + first, norm.shift.const_data_ptr<float>() + first, norm.silu};
}

/// Transforms tiles first .. first + count of x (channels-last), normed and upsampled, to points [36, count, C].
template <class T>
void transform_inputs(const torch::Tensor& x, const Tiles& tiles, std::int64_t first, torch::Tensor& points,
                      const ConvolutionFusion& fusion = {}) {
  const auto channels = x.size(1), pixels = x.size(2) * x.size(3);
  const auto* from = x.const_data_ptr<T>();
  auto* to = points.mutable_data_ptr<float>();
  const auto count = points.size(1);
  parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
    for (auto k = begin; k < end; ++k) {
      const auto tile = first + k, image = tiles.image(tile);
      const auto affine = fusion.norm ? affine_of(*fusion.norm, image) : group_norm::Affine{};
      const Window<T> window{.image = from + image * pixels * channels,
                             .height = tiles.height,
                             .width = tiles.width,
                             .channels = channels,
                             .top = tiles.top(tile) - 1,
                             .left = tiles.left(tile) - 1,
                             .doublings = fusion.upsampling / 2,
                             .affine = fusion.norm ? &affine : nullptr};
      transform_input(window, to + k * channels, points.stride(0));
    }
  });
}

}  // namespace sfumato::winograd
