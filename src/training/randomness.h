#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Purpose of a draw, so that draws of one step do not repeat each other.
enum class Stream : std::uint64_t { kInitialisation = 1, kOrder = 2, kStep = 3, kSample = 4, kDropout = 5 };

/// Returns a CPU generator that is a function of (seed, stream, index) alone. All randomness of a run comes from such
/// generators: a run resumes from its step's number, without any saved generator state.
at::Generator generator_for(std::uint64_t seed, Stream stream, std::uint64_t index);

/// Seeds LibTorch's own generators, of the CPU and of every device, as a function of (seed, step) alone. Dropout draws
/// from them.
void seed_dropout(std::uint64_t seed, std::uint64_t step);

/// Order in which examples are visited: every epoch is a new permutation of all of them, and batches may span two
/// epochs.
class ShuffledOrder {
 public:
  /// `examples`: int64 [M] on the CPU; a repeated one is seen that many times an epoch.
  ShuffledOrder(std::uint64_t seed, torch::Tensor examples, std::int64_t batch_size);
  /// Visits 0 to `count` - 1, each once an epoch.
  ShuffledOrder(std::uint64_t seed, std::int64_t count, std::int64_t batch_size);

  /// Returns the examples of batch `step`, counted from 0: int64 [batch_size].
  torch::Tensor batch(std::int64_t step);

 private:
  const torch::Tensor& permutation(std::int64_t epoch);

  std::uint64_t seed_;
  torch::Tensor examples_;
  std::int64_t count_, batch_size_;
  std::int64_t epoch_ = -1;
  torch::Tensor permutation_;
};

}  // namespace sfumato
