#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/group_norm_loops.h"

/// The linear maps of F(4x4, 3x3), each over a run of channels of one tile: Y = A^T [(G g G^T) . (B^T d B)] A, where
/// B^T evaluates 6 inputs and G 3 weights, and A^T interpolates 4 outputs.
namespace sfumato::winograd {

constexpr std::int64_t kOutputs = 4, kInputs = 6, kPoints = kInputs * kInputs;

/// The points of the maps are 0, a, -a, b, -b and infinity, with a = sqrt(1/2) and b = sqrt(2).
constexpr float kA = 0.70710678118654752F, kB = 1.4142135623730950F;
/// Factors of G at a and -a, and at b and -b: 1 / prod(p_i - p_j).
constexpr float kWeightScaleA = -1 / 1.5F, kWeightScaleB = 1 / 6.0F;

/// The images and weights are float or c10::BFloat16, what lies between the transforms float.

/// A window of kInputs x kInputs pixels of a channels-last image, which is upsampled by nearest neighbours to
/// 2^doublings times its size and mapped by `affine`. Pixels outside the image are zero, also after the map.
template <class T>
struct Window {
  const T* image;  // [H >> doublings, W >> doublings, C]
  std::int64_t height, width, channels;
  std::int64_t top, left;  // may be -1
  std::int64_t doublings;
  const group_norm::Affine* affine;  // null for none
};

/// Writes `to`[p * point_stride + c] for each point p.
void transform_input(const Window<float>& window, float* to, std::int64_t point_stride);
void transform_input(const Window<c10::BFloat16>& window, float* to, std::int64_t point_stride);

/// Transforms weights [3, 3, channels] of one output channel, likewise.
void transform_weight(const float* weight, std::int64_t channels, float* to, std::int64_t point_stride);
void transform_weight(const c10::BFloat16* weight, std::int64_t channels, float* to, std::int64_t point_stride);

/// A block of kOutputs x kOutputs pixels of a channels-last image; pixels outside the image are not written.
template <class T>
struct Block {
  T* image;  // [H, W, C]
  std::int64_t height, width, channels;
  std::int64_t top, left;
  const T* bias;   // [C] or null
  const T* added;  // [H, W, C] or null
};

/// Reads `from`[p][offset + c] for each point p.
void transform_output(const float* const* from, std::int64_t offset, const Block<float>& block);
void transform_output(const float* const* from, std::int64_t offset, const Block<c10::BFloat16>& block);

/// Gradients of the pixels of tiles by their place (row * kOutputs + column): place k begins at first[k * stride].
struct PlacedPixels {
  const float* first;
  std::int64_t stride;
};

/// Transforms the gradients of `count` tiles of one channel, which are consecutive: A dy A^T. Writes `to`[p *
/// point_stride + tile] for each point p.
void transform_output_gradient(const PlacedPixels& pixels, std::int64_t count, float* to, std::int64_t point_stride);

/// Reads `from`[p][offset + c] for each point p, and writes the gradients of one output channel's weights
/// [3, 3, channels]: G^T u G.
void transform_weight_gradient(const float* const* from, std::int64_t offset, std::int64_t channels, float* to);

}  // namespace sfumato::winograd
