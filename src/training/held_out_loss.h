#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>

namespace sfumato {

/// Number of held-out examples in a batch.
inline constexpr std::int64_t kHeldOutBatch = 64;

/// Returns the indices of the held-out examples, which are the last of `size`; the first `most` of them if `most` is
/// above 0. If none are held out, the last batch of all examples is used.
torch::Tensor held_out_indices(std::int64_t size, std::int64_t held_out, std::int64_t most);

/// Mean loss of the examples of `indices`, whose noise comes from `generator`.
using HeldOutLoss = std::function<torch::Tensor(const torch::Tensor& indices, at::Generator& generator)>;

/// Returns the mean of a loss over examples, batch by batch. Each batch has the same generator in every call.
double mean_held_out_loss(const torch::Tensor& indices, std::uint64_t seed, const HeldOutLoss& loss);

}  // namespace sfumato
