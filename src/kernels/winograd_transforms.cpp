#include "kernels/winograd_transforms.h"

#include "kernels/lanes.h"

namespace sfumato::winograd {
namespace {

using lanes::Lane;
using lanes::load;
using lanes::store;

template <std::int64_t N>
using Lanes = Lane[N];

[[gnu::always_inline]] inline void evaluate_input(const Lanes<6>& d, Lanes<6>& out) {
  const Lane even_a = d[4] - 2 * d[2], odd_a = kA * (d[3] - 2 * d[1]);
  const Lane even_b = d[4] - 0.5F * d[2], odd_b = kB * (d[3] - 0.5F * d[1]);
  out[0] = d[0] - 2.5F * d[2] + d[4];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = d[1] - 2.5F * d[3] + d[5];
}

[[gnu::always_inline]] inline void evaluate_weight(const Lanes<3>& g, Lanes<6>& out) {
  const Lane even_a = kWeightScaleA * (g[0] + 0.5F * g[2]), odd_a = kWeightScaleA * kA * g[1];
  const Lane even_b = kWeightScaleB * (g[0] + 2 * g[2]), odd_b = kWeightScaleB * kB * g[1];
  out[0] = g[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = g[2];
}

[[gnu::always_inline]] inline void interpolate(const Lanes<6>& m, Lanes<4>& out) {
  const Lane sum_a = m[1] + m[2], difference_a = kA * (m[1] - m[2]);
  const Lane sum_b = m[3] + m[4], difference_b = kB * (m[3] - m[4]);
  out[0] = m[0] + sum_a + sum_b;
  out[1] = difference_a + difference_b;
  out[2] = 0.5F * sum_a + 2 * sum_b;
  out[3] = 0.5F * difference_a + 2 * difference_b + m[5];
}

/// Returns the window's pixel (i, j), or null outside the image.
template <class T>
[[gnu::always_inline]] inline const T* pixel(const Window<T>& window, std::int64_t i, std::int64_t j) {
  const auto y = window.top + i, x = window.left + j;
  if (y < 0 || y >= window.height || x < 0 || x >= window.width) return nullptr;
  const auto row = (y >> window.doublings) * (window.width >> window.doublings);
  return window.image + (row + (x >> window.doublings)) * window.channels;
}

enum class Map { kNone, kAffine, kAffineSilu };

/// Loads channels c.. of a pixel, mapped; zeros for null.
template <Map kMap, class T>
[[gnu::always_inline]] inline void load_pixel(const T* pixel, std::int64_t c, const group_norm::Affine* affine,
                                              Lane& out) {
  if (pixel == nullptr) {
    out = Lane{};
    return;
  }
  load(pixel + c, out);
  if constexpr (kMap != Map::kNone) out = out * load(affine->factor + c) + load(affine->shift + c);
  if constexpr (kMap == Map::kAffineSilu) lanes::silu_of<lanes::kTermsFor<T>>(out, out);
}

template <Map kMap, class T>
[[gnu::always_inline]] inline void transform_mapped(const Window<T>& window, float* to, std::int64_t point_stride) {
  const T* pixels[kInputs][kInputs];
  for (std::int64_t i = 0; i < kInputs; ++i)
    for (std::int64_t j = 0; j < kInputs; ++j) pixels[i][j] = pixel(window, i, j);
  for (std::int64_t c = 0; c < window.channels; c += lanes::kLane) {
    Lanes<6> columns[kInputs];  // by column, then point of the rows
    for (std::int64_t j = 0; j < kInputs; ++j) {
      Lanes<6> column;
      for (std::int64_t i = 0; i < kInputs; ++i) load_pixel<kMap>(pixels[i][j], c, window.affine, column[i]);
      evaluate_input(column, columns[j]);
    }
    for (std::int64_t i = 0; i < kInputs; ++i) {
      const Lanes<6> row = {columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i], columns[5][i]};
      Lanes<6> points;
      evaluate_input(row, points);
      for (std::int64_t j = 0; j < kInputs; ++j) store(points[j], to + (i * kInputs + j) * point_stride + c);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void transform_input_of(const Window<T>& window, float* to, std::int64_t point_stride) {
  if (window.affine == nullptr) return transform_mapped<Map::kNone>(window, to, point_stride);
  if (window.affine->silu) return transform_mapped<Map::kAffineSilu>(window, to, point_stride);
  transform_mapped<Map::kAffine>(window, to, point_stride);
}

template <class T>
[[gnu::always_inline]] inline void transform_weight_of(const T* weight, std::int64_t channels, float* to,
                                                       std::int64_t point_stride) {
  for (std::int64_t c = 0; c < channels; c += lanes::kLane) {
    Lanes<6> columns[3];
    for (std::int64_t j = 0; j < 3; ++j) {
      const T* first = weight + j * channels + c;
      Lanes<3> column;
      for (std::int64_t i = 0; i < 3; ++i) load(first + 3 * i * channels, column[i]);
      evaluate_weight(column, columns[j]);
    }
    for (std::int64_t i = 0; i < kInputs; ++i) {
      const Lanes<3> row = {columns[0][i], columns[1][i], columns[2][i]};
      Lanes<6> points;
      evaluate_weight(row, points);
      for (std::int64_t j = 0; j < kInputs; ++j) store(points[j], to + (i * kInputs + j) * point_stride + c);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void transform_output_to(const float* const* from, std::int64_t offset,
                                                       const Block<T>& block) {
  for (std::int64_t c = 0; c < block.channels; c += lanes::kLane) {
    Lanes<4> columns[kInputs];  // by point of the columns, then row of the block
    for (std::int64_t j = 0; j < kInputs; ++j) {
      Lanes<6> column;
      for (std::int64_t i = 0; i < kInputs; ++i) column[i] = load(from[i * kInputs + j] + offset + c);
      interpolate(column, columns[j]);
    }
    Lane bias{};
    if (block.bias != nullptr) load(block.bias + c, bias);
    for (std::int64_t i = 0; i < kOutputs && block.top + i < block.height; ++i) {
      const Lanes<6> row = {columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i], columns[5][i]};
      Lanes<4> pixels;
      interpolate(row, pixels);
      const auto first = ((block.top + i) * block.width + block.left) * block.channels + c;
      for (std::int64_t j = 0; j < kOutputs && block.left + j < block.width; ++j) {
        Lane added{};
        if (block.added != nullptr) load(block.added + first + j * block.channels, added);
        store(static_cast<const Lane&>(pixels[j] + bias + added), block.image + first + j * block.channels);
      }
    }
  }
}

}  // namespace

SFUMATO_MULTIVERSION void transform_input(const Window<float>& window, float* to, std::int64_t point_stride) {
  transform_input_of(window, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_weight(const float* weight, std::int64_t channels, float* to,
                                           std::int64_t point_stride) {
  transform_weight_of(weight, channels, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_output(const float* const* from, std::int64_t offset, const Block<float>& block) {
  transform_output_to(from, offset, block);
}

SFUMATO_MULTIVERSION void transform_input(const Window<c10::BFloat16>& window, float* to, std::int64_t point_stride) {
  transform_input_of(window, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_weight(const c10::BFloat16* weight, std::int64_t channels, float* to,
                                           std::int64_t point_stride) {
  transform_weight_of(weight, channels, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_output(const float* const* from, std::int64_t offset,
                                           const Block<c10::BFloat16>& block) {
  transform_output_to(from, offset, block);
}

}  // namespace sfumato::winograd
