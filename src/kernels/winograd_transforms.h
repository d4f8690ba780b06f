#pragma once

#include <cstdint>

/// The linear maps of F(4x4, 3x3), each over a run of channels of one tile. With points a = sqrt(1/2) and b = sqrt(2),
/// Y = A^T [(G g G^T) . (B^T d B)] A, where B^T evaluates 6 inputs and G 3 weights, and A^T interpolates 4 outputs.
namespace sfumato::winograd {

constexpr std::int64_t kOutputs = 4, kInputs = 6, kPoints = kInputs * kInputs;
constexpr std::int64_t kLane = 16;

/// A window of kInputs x kInputs pixels of a channels-last image; pixels outside the image are zero.
struct Window {
  const float* image;  // [H, W, C]
  std::int64_t height, width, channels;
  std::int64_t top, left;  // may be -1
};

/// Writes `to`[p * point_stride + c] for each point p.
void transform_input(const Window& window, float* to, std::int64_t point_stride);

/// Transforms weights [3, 3, channels] of one output channel, likewise.
void transform_weight(const float* weight, std::int64_t channels, float* to, std::int64_t point_stride);

/// A block of kOutputs x kOutputs pixels of a channels-last image; pixels outside the image are not written.
struct Block {
  float* image;  // [H, W, C]
  std::int64_t height, width, channels;
  std::int64_t top, left;
  const float* bias;  // [C] or null
};

/// Reads `from`[p * point_stride + c] for each point p.
void transform_output(const float* from, std::int64_t point_stride, const Block& block);

}  // namespace sfumato::winograd
