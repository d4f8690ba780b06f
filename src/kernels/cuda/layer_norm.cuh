#pragma once

#include "kernels/cuda/elements.cuh"
#include "kernels/cuda/moments.cuh"

namespace sfumato::cuda {

/// Arguments of the kernel; see SfumatoLayerNorm.
template <class T>
struct LayerNormTask {
  const T *x, *residual, *weight, *bias;
  T *sum, *y;
  long long rows;
  int channels;
  float eps;
};

/// Moments of a vector.
template <int V>
__device__ inline Moments moments_of(const float (&values)[V]) {
  Moments moments{.count = V};
#pragma unroll
  for (int v = 0; v < V; ++v) moments.mean += values[v] / V;
#pragma unroll
  for (int v = 0; v < V; ++v) moments.squares += (values[v] - moments.mean) * (values[v] - moments.mean);
  return moments;
}

/// Writes x + residual of a row and returns the moments of the lane's elements, as they are rounded in `sum`.
template <class T, int V>
__device__ inline Moments add_residual(const LayerNormTask<T>& task, long long first, int lane) {
  Moments moments;
  for (int channel = lane * V; channel < task.channels; channel += kWarp * V) {
    float values[V], residual[V];
    load<V>(values, task.x + first + channel);
    load<V>(residual, task.residual + first + channel);
#pragma unroll
    for (int v = 0; v < V; ++v) values[v] = to_float(from_float<T>(values[v] + residual[v]));
    store<V>(task.sum + first + channel, values);
    merge(moments, moments_of<V>(values));
  }
  return moments;
}

/// A warp for each row. A lane reads of `sum` only its own elements.
template <class T, int V>
__global__ void __launch_bounds__(256) add_layer_norm(LayerNormTask<T> task) {
  const auto row = (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp;
  if (row >= task.rows) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto first = row * task.channels;
  const auto moments = warp_union(add_residual<T, V>(task, first, lane));
  const float inverse = inverse_sqrt(moments.squares / moments.count + task.eps);
  for (int channel = lane * V; channel < task.channels; channel += kWarp * V) {
    float values[V], weight[V], bias[V];
    load<V>(values, task.sum + first + channel);
    load<V>(weight, task.weight + channel);
    load<V>(bias, task.bias + channel);
#pragma unroll
    for (int v = 0; v < V; ++v) values[v] = (values[v] - moments.mean) * inverse * weight[v] + bias[v];
    store<V>(task.y + first + channel, values);
  }
}

}  // namespace sfumato::cuda
