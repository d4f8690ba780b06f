#pragma once

// What the kernels need of CUDA. The tests compile them for the host, with definitions of their own.
#ifdef SFUMATO_CUDA_EMULATION
#include "emulation.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace sfumato::cuda {

/// Most threads of a block of the norms.
constexpr int kMaxThreads = 384;
/// Elements of a split: 16 KiB in 16 bits, three vectors of each thread.
constexpr long long kSplitElements = 8192;
/// Images of at most so many pixels are not divided.
constexpr long long kSmallPixels = 256;

// Faster than expf and /, and accurate to a few units of float32's last place.
__device__ inline float fast_exp(float x) {
  return __expf(x);
}
__device__ inline float fast_divide(float x, float y) {
  return __fdividef(x, y);
}
__device__ inline float inverse_sqrt(float x) {
  return rsqrtf(x);
}

template <class T>
struct Same {
  using Type = T;
};

/// Queues a kernel; returns a cudaError_t.
template <class... P>
int launch(void (*kernel)(P...), dim3 blocks, int threads, void* stream, typename Same<P>::Type... arguments) {
  void* pointers[] = {&arguments...};
  return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), blocks, dim3(threads), pointers, 0,
                          static_cast<cudaStream_t>(stream));
}

}  // namespace sfumato::cuda
#endif
