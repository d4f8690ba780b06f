#pragma once

#include <cstdint>

#include "kernels/cuda/device.cuh"

namespace sfumato::cuda {

__device__ inline float to_float(float x) {
  return x;
}
__device__ inline float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}
__device__ inline float to_float(__half x) {
  return __half2float(x);
}

template <class T>
__device__ T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}
template <>
__device__ inline __nv_bfloat16 from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16(x);
}
template <>
__device__ inline __half from_float<__half>(float x) {
  return __float2half(x);
}

/// V neighbouring elements, which are loaded and stored at once: 16 bytes, or a single element where a row is not
/// aligned.
template <class T, int V>
struct alignas(sizeof(T) * V) Vector {
  T values[V];
};

template <class T>
constexpr int kFullVector = 16 / sizeof(T);

template <int V, class T>
__device__ inline void load(float (&values)[V], const T* from) {
  const auto vector = *reinterpret_cast<const Vector<T, V>*>(from);
#pragma unroll
  for (int v = 0; v < V; ++v) values[v] = to_float(vector.values[v]);
}

template <int V, class T>
__device__ inline void store(T* to, const float (&values)[V]) {
  Vector<T, V> vector;
#pragma unroll
  for (int v = 0; v < V; ++v) vector.values[v] = from_float<T>(values[v]);
  *reinterpret_cast<Vector<T, V>*>(to) = vector;
}

/// True if rows of `channels` elements that begin at these pointers can be read in full vectors. Null is aligned.
template <class T, class... Pointers>
bool rows_are_aligned(long long channels, Pointers... pointers) {
  return channels % kFullVector<T> == 0 && (... && (reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0));
}

/// x / (1 + exp(-x)). The fast functions' error vanishes in the rounding to 16 bits, and only there.
template <class T>
__device__ inline float silu(float x) {
  if constexpr (sizeof(T) < sizeof(float)) return fast_divide(x, 1 + fast_exp(-x));
  return x / (1 + expf(-x));
}

/// x Phi(x).
__device__ inline float gelu(float x) {
  constexpr float kInverseSqrt2 = 0.70710678118654752F;
  return 0.5F * x * (1 + erff(x * kInverseSqrt2));
}

}  // namespace sfumato::cuda
