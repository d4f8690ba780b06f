#pragma once

#include <torch/torch.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sfumato {

/// A layer's tensors in a LoRA file by the names of their parts: "down", "hada_w1_a", ...
using LoraParts = std::map<std::string, torch::Tensor>;

/// A matrix that a LoRA file keeps in parts: what is added to a weight, or a factor of that.
struct LoraMatrix {
  /// [out, in, k, k], or [out, in k k] where the parts do not tell these apart; of a bias or a norm [out].
  std::vector<std::int64_t> sizes;
  /// What alpha is divided by; 0 where no alpha counts.
  std::int64_t rank = 0;
  /// Puts the parts together on a device, in float32: [out, in k k].
  std::function<torch::Tensor(torch::Device)> compute;

  /// Whether it can be added to a weight of these sizes: a linear layer's is a convolution of 1 x 1.
  bool fits(torch::IntArrayRef weight) const;
};

/// A linear layer's sizes [out, in] as a convolution's [out, in, 1, 1].
std::vector<std::int64_t> four_sizes(torch::IntArrayRef sizes);

/// A part; undefined where there is none.
torch::Tensor find_part(const LoraParts& parts, const std::string& name);
/// A part that is a matrix or a convolution. Throws std::invalid_argument ("no up") where there is none.
torch::Tensor matrix_part(const LoraParts& parts, const std::string& name);

/// A part as it is, with no rank.
LoraMatrix whole_matrix(const torch::Tensor& part);

/// a b, of a [out, rank] and b [rank, in] or [rank, in, k, k]; with a core [rank, rank, k, k] the Tucker decomposition
/// (Hyeon-Woo et al. 2022, as LyCORIS writes it), of a [rank, out] and b [rank, in]. Throws std::invalid_argument where
/// the ranks differ.
LoraMatrix low_rank_matrix(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& core);

}  // namespace sfumato
