#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Standard normal noise as `torch.randn` draws it with a generator on CUDA, computed on the CPU: Philox4x32-10
/// (Salmon et al. 2011), one subsequence an element, and the first number of Box and Muller's pair (curand_normal4).
/// Equals a GPU's noise for up to as many elements as it runs threads at once: 40,960 on the smallest, 200,000 on
/// others. Beyond that, two GPUs differ from each other; here every element still has a subsequence of its own.
class CudaNoise {
 public:
  /// `torch.Generator("cuda").manual_seed(seed)`.
  explicit CudaNoise(std::uint64_t seed) : seed_(seed) {}

  /// Draws float32 on the CPU; each draw continues where the previous one ended.
  torch::Tensor draw(at::IntArrayRef shape);

 private:
  std::uint64_t seed_;
  std::uint64_t draws_ = 0;
};

}  // namespace sfumato
