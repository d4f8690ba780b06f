#include "training/randomness.h"

#include <algorithm>

#include "core/random.h"

namespace sfumato {
namespace {

/// SplitMix64 (Steele et al. 2014): adjacent inputs give unrelated outputs.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

std::uint64_t seed_of(std::uint64_t seed, Stream stream, std::uint64_t index) {
  return mix(mix(mix(seed) ^ static_cast<std::uint64_t>(stream)) ^ index);
}

}  // namespace

at::Generator generator_for(std::uint64_t seed, Stream stream, std::uint64_t index) {
  return seeded_generator(seed_of(seed, stream, index));
}

void seed_dropout(std::uint64_t seed, std::uint64_t step) {
  torch::manual_seed(seed_of(seed, Stream::kDropout, step));
}

ShuffledOrder::ShuffledOrder(std::uint64_t seed, torch::Tensor examples, std::int64_t batch_size)
    : seed_(seed), examples_(std::move(examples)), count_(examples_.size(0)), batch_size_(batch_size) {
  TORCH_CHECK(count_ > 0, "there is nothing to order");
}

ShuffledOrder::ShuffledOrder(std::uint64_t seed, std::int64_t count, std::int64_t batch_size)
    : ShuffledOrder(seed, torch::arange(count), batch_size) {}

const torch::Tensor& ShuffledOrder::permutation(std::int64_t epoch) {
  if (epoch != epoch_) {
    permutation_ = torch::randperm(count_, generator_for(seed_, Stream::kOrder, static_cast<std::uint64_t>(epoch)));
    epoch_ = epoch;
  }
  return permutation_;
}

torch::Tensor ShuffledOrder::batch(std::int64_t step) {
  std::vector<torch::Tensor> parts;
  const auto end = (step + 1) * batch_size_;
  for (auto position = step * batch_size_; position < end;) {
    const auto offset = position % count_;
    const auto length = std::min(end - position, count_ - offset);
    parts.push_back(permutation(position / count_).narrow(0, offset, length));
    position += length;
  }
  return examples_.index_select(0, torch::cat(parts));
}

}  // namespace sfumato
