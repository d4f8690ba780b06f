#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// Tensors of a layer in a LoRA file by the names of their parts: "down", "hada_w1_a", ...
using LoraParts = std::map<std::string, torch::Tensor>;

/// A matrix that a LoRA file stores in parts: the delta of a weight, or a factor of it.
struct LoraMatrix {
  /// [out, in, k, k], or [out, in k k] if the parts do not separate these; [out] for a bias or a norm.
  std::vector<std::int64_t> sizes;
  /// Divisor of alpha; 0 if alpha does not apply.
  std::int64_t rank = 0;
  /// Combines the parts on a device, in float32: [out, in k k].
  std::function<torch::Tensor(torch::Device)> compute;

  /// True if it can be added to a weight of these sizes; linear layers and 1 x 1 convolutions are interchangeable.
  bool fits(torch::IntArrayRef weight) const;
};

/// Extends a linear layer's sizes [out, in] to a convolution's [out, in, 1, 1].
std::vector<std::int64_t> four_sizes(torch::IntArrayRef sizes);

/// Returns a part; undefined if there is none.
torch::Tensor find_part(const LoraParts& parts, const std::string& name);
/// Returns a part that is a matrix or a convolution. Throws std::invalid_argument ("no up") if there is none.
torch::Tensor matrix_part(const LoraParts& parts, const std::string& name);

/// Returns a part unchanged, without a rank.
LoraMatrix whole_matrix(const torch::Tensor& part);

/// Returns a b for a [out, rank] and b [rank, in] or [rank, in, k, k]. With a core [rank, rank, k, k], the Tucker
/// decomposition (Hyeon-Woo et al. 2022, as LyCORIS writes it) of a [rank, out] and b [rank, in]. Throws
/// std::invalid_argument if the ranks differ.
LoraMatrix low_rank_matrix(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& core);

}  // namespace sfumato
