#include "emulation.h"

// Compiled without sanitizers: shuffles exchange values without an order that ThreadSanitizer could see.

using namespace sfumato::cuda::emulation;

void __syncthreads() {
  if (launches == omission.launch && static_cast<int>(block->barriers[threadIdx.x]++) == omission.barrier) return;
  block->barrier.wait(/*orders=*/true);
}

void __syncwarp() {
  block->warps[threadIdx.x / kWarp].rendezvous.wait(/*orders=*/true);
}

float __shfl_xor_sync(unsigned mask, float value, int lane_mask) {
  if (mask != 0xffffffffU) fail("shuffle of a part of a warp");
  const auto lane = threadIdx.x % kWarp;
  auto& warp = block->warps[threadIdx.x / kWarp];
  float* values = warp.values[block->shuffles[threadIdx.x]++ % 2];
  values[lane] = value;
  warp.rendezvous.wait(/*orders=*/false);
  return values[lane ^ static_cast<unsigned>(lane_mask)];
}
