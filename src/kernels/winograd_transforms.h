#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

/// The linear maps of Winograd's convolutions (winograd_maps.h), each over the channels of one tile. Functions of float
/// are F(4x4, 3x3), those of c10::BFloat16 F(2x2, 3x3). "Points" are kPoints matrices, `point_stride` values apart.
/// Numbers of channels are multiples of lanes::kWidest, or of twice that where bfloat16 is interleaved.
namespace sfumato::winograd {

/// Transforms the inputs of a tile: pixels[i * kInputs + j] are the channels of pixel (i, j). Writes `to`[p *
/// point_stride + c] for each point p.
void transform_input(const float* const* pixels, std::int64_t channels, float* to, std::int64_t point_stride);
void transform_input(const c10::BFloat16* const* pixels, std::int64_t channels, c10::BFloat16* to,
                     std::int64_t point_stride);

/// The same for two tiles, whose pixels follow one another, interleaved: `to`[p * point_stride + 2 c + tile].
void transform_input_pair(const c10::BFloat16* const* pixels, std::int64_t channels, c10::BFloat16* to,
                          std::int64_t point_stride);

/// Weights [outputs, 3, 3, channels] of a convolution, of which a product takes `columns` outputs.
template <class T>
struct Weights {
  const T* first;
  std::int64_t channels, columns;
};

/// Transforms weights to second factors of products, `to`[p * point_stride] = [channels, columns] for each point p,
/// with rows interleaved as the product needs them. Weights in float32 are rounded once, after the transform.
void transform_weights(const Weights<float>& weights, float* to, std::int64_t point_stride);
void transform_weights(const Weights<float>& weights, c10::BFloat16* to, std::int64_t point_stride);
void transform_weights(const Weights<c10::BFloat16>& weights, float* to, std::int64_t point_stride);
void transform_weights(const Weights<c10::Half>& weights, float* to, std::int64_t point_stride);
void transform_weights(const Weights<c10::BFloat16>& weights, c10::BFloat16* to, std::int64_t point_stride);

/// Weights [outputs, 3, 3, channels], of whose channels a product takes `columns` from `first` on.
template <class T>
struct TurnedWeights {
  const T* first;
  std::int64_t outputs, channels, columns;
};

/// The same for the convolution that maps the gradient of the output to that of the input: [outputs, columns] of the
/// weights turned by 180 degrees.
void transform_turned_weights(const TurnedWeights<float>& weights, float* to, std::int64_t point_stride);
void transform_turned_weights(const TurnedWeights<float>& weights, c10::BFloat16* to, std::int64_t point_stride);
void transform_turned_weights(const TurnedWeights<c10::BFloat16>& weights, c10::BFloat16* to,
                              std::int64_t point_stride);

/// A block of kOutputs x kOutputs pixels, and of `columns` channels, of a channels-last image; pixels outside the image
/// are not written.
template <class T>
struct Block {
  T* image;  // [H, W, C] from the first of the channels on
  std::int64_t height, width, channels;
  std::int64_t top, left, columns;
  const float* bias;  // [columns] or null
  const T* added;     // like the image, or null
};

/// Reads `from`[p * point_stride + c] for each point p.
void transform_output(const float* from, std::int64_t point_stride, const Block<float>& block);
void transform_output(const float* from, std::int64_t point_stride, const Block<c10::BFloat16>& block);

/// Number of tiles that transform_output_gradients takes at once.
template <class T>
inline constexpr std::int64_t kTilesOfGradient = 64 / sizeof(T);

/// Transforms kWidest channels of gradients of the outputs of kTilesOfGradient tiles: pixels[(tile * kOutputs + i) *
/// kOutputs + j] are the channels of pixel (i, j). Writes `to`[p * point_stride + c * channel_stride + tile].
void transform_output_gradients(const float* const* pixels, float* to, std::int64_t point_stride,
                                std::int64_t channel_stride);
void transform_output_gradients(const c10::BFloat16* const* pixels, c10::BFloat16* to, std::int64_t point_stride,
                                std::int64_t channel_stride);

/// Sums over the tiles of a convolution of T: those of one output's channels at point p are from[p * point_stride + c].
template <class T>
struct Sums {
  const float* from;
  std::int64_t point_stride, channels;
};

/// Transforms sums to the gradient of one output's weights [3, 3, channels].
void transform_weight_gradient(const Sums<float>& sums, float* to);
void transform_weight_gradient(const Sums<c10::BFloat16>& sums, float* to);

}  // namespace sfumato::winograd
