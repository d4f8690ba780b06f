#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// What a draw is for, so that draws of one step do not repeat each other.
enum class Stream : std::uint64_t { kInitialisation = 1, kOrder = 2, kStep = 3, kSample = 4, kDropout = 5 };

/// A CPU generator that is a function of (seed, stream, index) alone. All randomness of a run comes from these, drawn
/// on the CPU: a run continues from its step's number, and no generator has a state to save.
at::Generator generator_for(std::uint64_t seed, Stream stream, std::uint64_t index);

/// Seeds LibTorch's own generators, of the CPU and of every device, from which dropout draws, as a function of (seed,
/// step) alone.
void seed_dropout(std::uint64_t seed, std::uint64_t step);

/// The order in which examples are visited: every epoch is a permutation of its own of all of them, and batches run
/// across the epochs' borders.
class ShuffledOrder {
 public:
  /// `examples`: int64 [M] on the CPU, in which one may stand several times, to be seen so many times an epoch.
  ShuffledOrder(std::uint64_t seed, torch::Tensor examples, std::int64_t batch_size);
  /// All from 0 to `count` - 1, once.
  ShuffledOrder(std::uint64_t seed, std::int64_t count, std::int64_t batch_size);

  /// The examples of the batch numbered `step` from 0: int64 [batch_size].
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
