#include "kernels/lanes.h"
#include "kernels/winograd_transforms.h"

namespace sfumato::winograd {
namespace {

/// A, the transposed of A^T: 4 outputs to 6 points. V is lanes::Lane or float.
template <class V>
[[gnu::always_inline]] inline void spread(const V (&y)[4], V (&out)[6]) {
  const V even_a = y[0] + 0.5F * y[2], odd_a = kA * (y[1] + 0.5F * y[3]);
  const V even_b = y[0] + 2 * y[2], odd_b = kB * (y[1] + 2 * y[3]);
  out[0] = y[0];
  out[1] = even_a + odd_a;
  out[2] = even_a - odd_a;
  out[3] = even_b + odd_b;
  out[4] = even_b - odd_b;
  out[5] = y[3];
}

/// G^T: 6 points to 3 weights.
[[gnu::always_inline]] inline void gather(const lanes::Lane (&u)[6], lanes::Lane (&out)[3]) {
  const lanes::Lane sum_a = kWeightScaleA * (u[1] + u[2]), difference_a = kWeightScaleA * kA * (u[1] - u[2]);
  const lanes::Lane sum_b = kWeightScaleB * (u[3] + u[4]), difference_b = kWeightScaleB * kB * (u[3] - u[4]);
  out[0] = u[0] + sum_a + sum_b;
  out[1] = difference_a + difference_b;
  out[2] = 0.5F * sum_a + 2 * sum_b + u[5];
}

/// The points of as many tiles as V holds.
template <class V>
[[gnu::always_inline]] inline void spread_tiles(const PlacedPixels& pixels, std::int64_t tile, float* to,
                                                std::int64_t point_stride) {
  V columns[kOutputs][kInputs];  // by column, then point of the rows
  for (std::int64_t j = 0; j < kOutputs; ++j) {
    V column[kOutputs];
    for (std::int64_t i = 0; i < kOutputs; ++i)
      lanes::load(pixels.first + (i * kOutputs + j) * pixels.stride + tile, column[i]);
    spread(column, columns[j]);
  }
  for (std::int64_t i = 0; i < kInputs; ++i) {
    const V row[kOutputs] = {columns[0][i], columns[1][i], columns[2][i], columns[3][i]};
    V points[kInputs];
    spread(row, points);
    for (std::int64_t j = 0; j < kInputs; ++j) lanes::store(points[j], to + (i * kInputs + j) * point_stride + tile);
  }
}

}  // namespace

SFUMATO_MULTIVERSION void transform_output_gradient(const PlacedPixels& pixels, std::int64_t count, float* to,
                                                    std::int64_t point_stride) {
  std::int64_t tile = 0;
  for (; tile + lanes::kLane <= count; tile += lanes::kLane) spread_tiles<lanes::Lane>(pixels, tile, to, point_stride);
  for (; tile < count; ++tile) spread_tiles<float>(pixels, tile, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_weight_gradient(const float* const* from, std::int64_t offset,
                                                    std::int64_t channels, float* to) {
  for (std::int64_t c = 0; c < channels; c += lanes::kLane) {
    lanes::Lane columns[kInputs][3];  // by point of the columns, then row of the weights
    for (std::int64_t j = 0; j < kInputs; ++j) {
      lanes::Lane column[kInputs];
      for (std::int64_t i = 0; i < kInputs; ++i) column[i] = lanes::load(from[i * kInputs + j] + offset + c);
      gather(column, columns[j]);
    }
    for (std::int64_t i = 0; i < 3; ++i) {
      const lanes::Lane row[kInputs] = {columns[0][i], columns[1][i], columns[2][i],
                                        columns[3][i], columns[4][i], columns[5][i]};
      lanes::Lane weights[3];
      gather(row, weights);
      for (std::int64_t j = 0; j < 3; ++j) lanes::store(weights[j], to + (i * 3 + j) * channels + c);
    }
  }
}

}  // namespace sfumato::winograd
