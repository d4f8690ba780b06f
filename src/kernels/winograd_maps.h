#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/lanes.h"

/// The one-dimensional linear maps of Winograd's convolutions (Lavin & Gray 2016), Y = A^T [(G g) . (B^T d)]: B^T
/// evaluates inputs d, and G three weights g, at the points of polynomials; A^T interpolates outputs. Each map is a
/// struct with its sizes and the function `of`; a map of squares applies it to the columns and then to the rows.
namespace sfumato::winograd {

/// Maps for values of type T.
template <class T>
struct Maps;

/// In float32 F(4x4, 3x3), which needs a quarter of the multiplications of the direct sum. The points are 0, a, -a, b,
/// -b and infinity, with a = sqrt(1/2) and b = sqrt(2): the rounding error is then about that of the direct sum, half
/// of that with the usual integers.
template <>
struct Maps<float> {
  static constexpr std::int64_t kOutputs = 4, kInputs = 6, kPoints = kInputs * kInputs;
  /// Rows that are interleaved in the second factor of a product.
  static constexpr std::int64_t kInterleaved = 1;

  /// True for a point at which the inputs of an image that was upsampled by 2 are 0.
  static constexpr bool vanishes_upsampled(std::int64_t /*point*/) { return false; }

  static constexpr float kA = 0.70710678118654752F, kB = 1.4142135623730950F;
  /// Factors of G at a and -a, and at b and -b: 1 / prod(p_i - p_j).
  static constexpr float kScaleA = -1 / 1.5F, kScaleB = 1 / 6.0F;

  /// B^T.
  struct EvaluateInput {
    static constexpr std::int64_t kFrom = 6, kTo = 6;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&d)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane even_a = d[4] - 2 * d[2], odd_a = kA * (d[3] - 2 * d[1]);
      const typename V::Lane even_b = d[4] - 0.5F * d[2], odd_b = kB * (d[3] - 0.5F * d[1]);
      out[0] = d[0] - 2.5F * d[2] + d[4];
      out[1] = even_a + odd_a;
      out[2] = even_a - odd_a;
      out[3] = even_b + odd_b;
      out[4] = even_b - odd_b;
      out[5] = d[1] - 2.5F * d[3] + d[5];
    }
  };

  /// G.
  struct EvaluateWeight {
    static constexpr std::int64_t kFrom = 3, kTo = 6;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&g)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane even_a = kScaleA * (g[0] + 0.5F * g[2]), odd_a = kScaleA * kA * g[1];
      const typename V::Lane even_b = kScaleB * (g[0] + 2 * g[2]), odd_b = kScaleB * kB * g[1];
      out[0] = g[0];
      out[1] = even_a + odd_a;
      out[2] = even_a - odd_a;
      out[3] = even_b + odd_b;
      out[4] = even_b - odd_b;
      out[5] = g[2];
    }
  };

  /// A^T.
  struct Interpolate {
    static constexpr std::int64_t kFrom = 6, kTo = 4;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&m)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane sum_a = m[1] + m[2], difference_a = kA * (m[1] - m[2]);
      const typename V::Lane sum_b = m[3] + m[4], difference_b = kB * (m[3] - m[4]);
      out[0] = m[0] + sum_a + sum_b;
      out[1] = difference_a + difference_b;
      out[2] = 0.5F * sum_a + 2 * sum_b;
      out[3] = 0.5F * difference_a + 2 * difference_b + m[5];
    }
  };

  /// A, for gradients of outputs.
  struct SpreadGradient {
    static constexpr std::int64_t kFrom = 4, kTo = 6;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&dy)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane even_a = dy[0] + 0.5F * dy[2], odd_a = kA * (dy[1] + 0.5F * dy[3]);
      const typename V::Lane even_b = dy[0] + 2 * dy[2], odd_b = kB * (dy[1] + 2 * dy[3]);
      out[0] = dy[0];
      out[1] = even_a + odd_a;
      out[2] = even_a - odd_a;
      out[3] = even_b + odd_b;
      out[4] = even_b - odd_b;
      out[5] = dy[3];
    }
  };

  /// G^T, for gradients of weights.
  struct GatherGradient {
    static constexpr std::int64_t kFrom = 6, kTo = 3;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&u)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane sum_a = kScaleA * (u[1] + u[2]), difference_a = kScaleA * kA * (u[1] - u[2]);
      const typename V::Lane sum_b = kScaleB * (u[3] + u[4]), difference_b = kScaleB * kB * (u[3] - u[4]);
      out[0] = u[0] + sum_a + sum_b;
      out[1] = difference_a + difference_b;
      out[2] = 0.5F * sum_a + 2 * sum_b + u[5];
    }
  };
};

/// In bfloat16 F(2x2, 3x3), which needs 4/9 of the multiplications. The points are 0, 1, -1 and infinity. What lies
/// between the transforms is rounded to bfloat16, which adds about 2.3 times the rounding of the result: with points as
/// many as in float32 the error would be several times as large.
template <>
struct Maps<c10::BFloat16> {
  static constexpr std::int64_t kOutputs = 2, kInputs = 4, kPoints = kInputs * kInputs;
  static constexpr std::int64_t kInterleaved = 2;

  /// A tile of an upsampled image begins at an odd pixel, so that inputs 1 and 2 are equal, whose difference is the
  /// value at -1. That leaves 9 of 16 products.
  static constexpr bool vanishes_upsampled(std::int64_t point) {
    return point / kInputs == kDifference || point % kInputs == kDifference;
  }
  static constexpr std::int64_t kDifference = 2;

  struct EvaluateInput {
    static constexpr std::int64_t kFrom = 4, kTo = 4;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&d)[kFrom], typename V::Lane (&out)[kTo]) {
      out[0] = d[0] - d[2];
      out[1] = d[1] + d[2];
      out[2] = d[2] - d[1];
      out[3] = d[1] - d[3];
    }
  };

  struct EvaluateWeight {
    static constexpr std::int64_t kFrom = 3, kTo = 4;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&g)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane even = 0.5F * (g[0] + g[2]), odd = 0.5F * g[1];
      out[0] = g[0];
      out[1] = even + odd;
      out[2] = even - odd;
      out[3] = g[2];
    }
  };

  struct Interpolate {
    static constexpr std::int64_t kFrom = 4, kTo = 2;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&m)[kFrom], typename V::Lane (&out)[kTo]) {
      out[0] = m[0] + m[1] + m[2];
      out[1] = m[1] - m[2] - m[3];
    }
  };

  struct SpreadGradient {
    static constexpr std::int64_t kFrom = 2, kTo = 4;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&dy)[kFrom], typename V::Lane (&out)[kTo]) {
      out[0] = dy[0];
      out[1] = dy[0] + dy[1];
      out[2] = dy[0] - dy[1];
      out[3] = -dy[1];
    }
  };

  struct GatherGradient {
    static constexpr std::int64_t kFrom = 4, kTo = 3;
    template <class V>
    [[gnu::always_inline]] static void of(const typename V::Lane (&u)[kFrom], typename V::Lane (&out)[kTo]) {
      const typename V::Lane sum = 0.5F * (u[1] + u[2]);
      out[0] = u[0] + sum;
      out[1] = 0.5F * (u[1] - u[2]);
      out[2] = sum + u[3];
    }
  };
};

/// Applies a map to the columns and then to the rows of a square: load(i, j, value) reads, store(i, j, value) writes.
template <class V, class Map, class Load, class Store>
[[gnu::always_inline]] inline void map_square(const Load& load, const Store& store) {
  using Lane = typename V::Lane;
  Lane columns[Map::kFrom][Map::kTo];
  for (std::int64_t j = 0; j < Map::kFrom; ++j) {
    Lane column[Map::kFrom];
    for (std::int64_t i = 0; i < Map::kFrom; ++i) load(i, j, column[i]);
    Map::template of<V>(column, columns[j]);
  }
  for (std::int64_t i = 0; i < Map::kTo; ++i) {
    Lane row[Map::kFrom], result[Map::kTo];
    for (std::int64_t j = 0; j < Map::kFrom; ++j) row[j] = columns[j][i];
    Map::template of<V>(row, result);
    for (std::int64_t j = 0; j < Map::kTo; ++j) store(i, j, result[j]);
  }
}

}  // namespace sfumato::winograd
