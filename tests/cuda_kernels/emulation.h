#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "fibers.h"

// What the kernels need of CUDA, for the host: src/kernels/cuda/device.cuh includes this in place of CUDA's headers.
// The blocks of a launch run one after the other, the threads of a block as fibers. ThreadSanitizer sees the order that
// __syncthreads and __syncwarp establish, and no other: shuffles exchange values without ordering any other access, as
// on a device.

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
// One instance serves all threads of a block, and one block runs at a time.
#define __shared__ static

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace sfumato::cuda {

// Small sizes, so that small images are divided and have more vectors than threads.
constexpr int kMaxThreads = 96;
constexpr long long kSplitElements = 256, kSmallPixels = 8;

namespace emulation {

constexpr unsigned kWarp = 32;

struct Warp {
  Rendezvous rendezvous{kWarp};
  // Two consecutive shuffles use different values: a lane may begin the second while others still read.
  float values[2][kWarp] = {};
};

struct Block {
  explicit Block(unsigned threads) : barrier(threads), warps(threads / kWarp), shuffles(threads), barriers(threads) {}
  Rendezvous barrier;
  std::vector<Warp> warps;
  std::vector<unsigned> shuffles, barriers;  // calls of each thread
};

inline Block* block = nullptr;

/// A mistake for the tests: the barrier (by its place in the kernel) that each thread of launch `launch` leaves out.
struct Omission {
  int launch = -1, barrier = -1;
};
inline Omission omission;
/// Launches since the test began to count them.
inline int launches = 0;

/// Runs the kernel as the threads of every block.
template <class Kernel>
void run_blocks(dim3 blocks, unsigned threads, const Kernel& kernel) {
  blockDim = {threads};
  gridDim = blocks;
  for (unsigned y = 0; y < blocks.y; ++y)
    for (unsigned x = 0; x < blocks.x; ++x) {
      Block state(threads);
      block = &state;
      blockIdx = {x, y};
      run_fibers(threads, [&](unsigned) { kernel(); });
    }
}

}  // namespace emulation

template <class T>
struct Same {
  using Type = T;
};

/// Runs a kernel; returns 0.
template <class... P>
int launch(void (*kernel)(P...), dim3 blocks, int threads, void*, typename Same<P>::Type... arguments) {
  if (threads % emulation::kWarp != 0 || threads > 1024 || blocks.y > 65535 || blocks.z != 1)
    emulation::fail("launch of a shape that is refused or leaves a part of a warp");
  emulation::run_blocks(blocks, static_cast<unsigned>(threads), [&] { kernel(arguments...); });
  ++emulation::launches;
  return 0;
}

inline float fast_exp(float x) {
  return std::exp(x);
}
inline float fast_divide(float x, float y) {
  return x / y;
}
inline float inverse_sqrt(float x) {
  return 1 / std::sqrt(x);
}

}  // namespace sfumato::cuda

void __syncthreads();
void __syncwarp();
float __shfl_xor_sync(unsigned mask, float value, int lane_mask);

template <class T>
T min(T a, std::type_identity_t<T> b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, std::type_identity_t<T> b) {
  return a < b ? b : a;
}

/// The upper half of a float32, rounded to nearest, ties to even.
struct __nv_bfloat16 {
  std::uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

inline __nv_bfloat16 __float2bfloat16(float x) {
  if (std::isnan(x)) return {0x7fff};
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return {static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

struct __half {
  _Float16 value;
};

inline float __half2float(__half x) {
  return static_cast<float>(x.value);
}

inline __half __float2half(float x) {
  return {static_cast<_Float16>(x)};
}
