#include "training/held_out_loss.h"

#include <algorithm>

#include "training/randomness.h"

namespace sfumato {

torch::Tensor held_out_indices(std::int64_t size, std::int64_t held_out, std::int64_t most) {
  const auto there = held_out > 0 ? held_out : std::min(size, kHeldOutBatch);
  return torch::arange(size - there, size).narrow(0, 0, most == 0 ? there : std::min(most, there));
}

double mean_held_out_loss(const torch::Tensor& indices, std::uint64_t seed, const HeldOutLoss& loss) {
  double sum = 0;
  for (const auto& part : indices.split(kHeldOutBatch)) {
    const auto first = static_cast<std::uint64_t>(part[0].item<std::int64_t>());
    auto generator = generator_for(seed, Stream::kSample, first);
    sum += loss(part, generator).item<double>() * static_cast<double>(part.size(0));
  }
  return sum / static_cast<double>(indices.size(0));
}

}  // namespace sfumato
