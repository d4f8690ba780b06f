#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/denoiser.h"

namespace sfumato {

/// Inputs of a network other than x and the noise level: named tensors of N rows each, undefined if the network has
/// no such input. Names are those of diffusers' UNet2DConditionModel.
struct Condition {
  torch::Tensor encoder_hidden_states = {};  ///< text [N, L, D]
  /// Keys and values of the text for each of the network's layers that attend to it, R rows each. R divides N: row r is
  /// that of the N/R adjacent rows from r N/R. Empty if the network computes them itself.
  std::vector<torch::Tensor> text_keys_values = {};
  torch::Tensor text_embeds = {};    ///< pooled text [N, P]
  torch::Tensor time_ids = {};       ///< sizes and crop of Stable Diffusion XL [N, 6], of its refiner [N, 5]
  torch::Tensor timestep_cond = {};  ///< embedded guidance scale of a distilled network [N, E]
  torch::Tensor class_labels = {};   ///< int64 [N]
  torch::Tensor concat = {};         ///< [N, C', H, W], channels after those of x
  torch::Tensor perturbed = {};      ///< bool [N] on the CPU: rows whose self-attention is replaced by the identity
  torch::Tensor uncontrolled = {};   ///< bool [N] on the CPU: rows that ControlNets leave unchanged

  /// Returns N; 0 for a condition without tensors.
  std::int64_t rows() const;
  /// Returns N/R; 1 without text_keys_values.
  std::int64_t rows_for_text() const;
};

/// Concatenates the rows of all conditions. A flag (bool) that some lack is false there; any other member must be
/// defined in all or none, and N/R must be the same. Throws std::invalid_argument.
Condition cat(const std::vector<Condition>& conditions);

/// Repeats every row `count` times, with copies adjacent, which share a row of text_keys_values.
Condition repeat_interleave(const Condition& condition, std::int64_t count);

/// Returns views of `count` rows, starting with row `first`. Both must be multiples of N/R.
Condition narrow(const Condition& condition, std::int64_t first, std::int64_t count);

/// Returns a network's raw output [N, C, ...] (or [N, 2C, ...] with a learned variance) at x [N, C, ...] for conditions
/// of N rows.
using Backbone =
    std::function<torch::Tensor(const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition)>;

}  // namespace sfumato
