#pragma once

#include "kernels/cuda/elements.cuh"

namespace sfumato::cuda {

/// Arguments of the kernel; see SfumatoGeglu.
template <class T>
struct GegluTask {
  const T *input, *bias;
  T* y;
  unsigned rows, columns;  // vectors of a row of y
};

/// y = (value + bias) gelu(gate + bias), a thread for each vector of y.
template <class T, int V>
__global__ void __launch_bounds__(256) geglu(GegluTask<T> task) {
  const unsigned index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index >= task.rows * task.columns) return;
  const unsigned row = index / task.columns, channel = (index % task.columns) * V;
  const auto width = static_cast<long long>(task.columns) * V;
  const T* from = task.input + row * 2 * width + channel;
  float value[V], gate[V];
  load<V>(value, from);
  load<V>(gate, from + width);
  if (task.bias != nullptr) {
    float value_bias[V], gate_bias[V];
    load<V>(value_bias, task.bias + channel);
    load<V>(gate_bias, task.bias + width + channel);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      value[v] += value_bias[v];
      gate[v] += gate_bias[v];
    }
  }
#pragma unroll
  for (int v = 0; v < V; ++v) value[v] *= gelu(gate[v]);
  store<V>(task.y + row * width + channel, value);
}

}  // namespace sfumato::cuda
