#pragma once

#include "kernels/cuda/device.cuh"

namespace sfumato::cuda {

constexpr int kWarp = 32;

/// Sum over the lanes of a warp, in each lane.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffU, value, distance);
  return value;
}

/// Count and mean of some samples, and the sum of their squared distances from the mean. Unlike sums of squares these
/// lose no digits to a mean that is far from 0.
struct Moments {
  float count = 0, mean = 0, squares = 0;
};

/// Adds the samples of `other` (Chan, Golub & LeVeque 1983).
__device__ inline void merge(Moments& moments, const Moments& other) {
  if (other.count == 0) return;
  const float count = moments.count + other.count;
  const float part = other.count / count, distance = other.mean - moments.mean;
  moments.mean += distance * part;
  moments.squares += other.squares + distance * distance * part * moments.count;
  moments.count = count;
}

/// The moments of the samples of all lanes, in each lane.
__device__ inline Moments warp_union(const Moments& own) {
  Moments all;
  all.count = warp_sum(own.count);
  all.mean = warp_sum(own.count * own.mean) / all.count;
  const float distance = own.mean - all.mean;
  all.squares = warp_sum(own.squares + own.count * distance * distance);
  return all;
}

}  // namespace sfumato::cuda
