#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "emulation.h"
#include "kernels/cuda/kernels.h"

// Tensors of the three dtypes for the tests of the kernels, and their rounding.

namespace sfumato {

using Bfloat16 = __nv_bfloat16;
using Half = __half;
using ElementTypes = testing::Types<float, Bfloat16, Half>;

inline double value_of(float x) {
  return x;
}
inline double value_of(Bfloat16 x) {
  return __bfloat162float(x);
}
inline double value_of(Half x) {
  return __half2float(x);
}

template <class T>
T element(double x) {
  const auto value = static_cast<float>(x);
  if constexpr (std::is_same_v<T, Bfloat16>)
    return __float2bfloat16(value);
  else if constexpr (std::is_same_v<T, Half>)
    return __float2half(value);
  else
    return value;
}

template <class T>
constexpr int dtype_of() {
  if (std::is_same_v<T, Bfloat16>) return kSfumatoBfloat16;
  return std::is_same_v<T, Half> ? kSfumatoFloat16 : kSfumatoFloat32;
}

/// Largest relative error of rounding to T.
template <class T>
constexpr double roundoff() {
  if (std::is_same_v<T, Bfloat16>) return 0x1p-8;
  return std::is_same_v<T, Half> ? 0x1p-11 : 0x1p-24;
}

/// A tensor of exactly this many elements, so that AddressSanitizer sees a read beyond it. An `offset` of one element
/// misaligns it.
template <class T>
struct Tensor {
  explicit Tensor(long long count, long long offset_by = 0)
      : elements(static_cast<std::size_t>(count + offset_by), element<T>(std::numeric_limits<double>::quiet_NaN())),
        offset(static_cast<std::size_t>(offset_by)) {}

  T* data() { return elements.data() + offset; }
  double operator[](long long i) const { return value_of(elements[static_cast<std::size_t>(i) + offset]); }

  std::vector<T> elements;
  std::size_t offset;
};

/// Normal values of a mean and standard deviation.
template <class T>
Tensor<T> normal(long long count, unsigned seed, double mean = 0, double deviation = 1, long long offset = 0) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> distribution(mean, deviation);
  Tensor<T> tensor(count, offset);
  for (long long i = 0; i < count; ++i) tensor.data()[i] = element<T>(distribution(generator));
  return tensor;
}

/// Allowed distance from the exact value y of what float32 computes from terms of size `magnitude`, and rounds to T.
/// Some hundred roundings in a row are off by 32 of float32's units at most, as the square root of their number has it.
/// The last summand is half of the smallest step of float16, or of the others.
template <class T>
double allowed(double y, double magnitude) {
  const double computed = 32 * 0x1p-24 * magnitude;
  return computed + roundoff<T>() * (std::abs(y) + computed) + (std::is_same_v<T, Half> ? 0x1p-25 : 0x1p-134);
}

/// A result of the twins: the exact value, and the size of the terms that it was computed from.
struct Exact {
  double y, magnitude;
};

/// The greatest distance from the exact values, as a multiple of what is allowed: at most 1.
template <class T>
double worst(const Tensor<T>& actual, const std::vector<Exact>& expected) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto& [y, magnitude] = expected[i];
    const double distance = std::abs(actual[static_cast<long long>(i)] - y) / allowed<T>(y, magnitude);
    if (!(distance <= worst)) worst = distance;
    if (std::isnan(distance)) return distance;
  }
  return worst;
}

}  // namespace sfumato
