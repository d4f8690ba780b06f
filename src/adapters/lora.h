#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sfumato {

/// A LoRA file and how strongly it works.
struct Lora {
  std::filesystem::path path;
  double weight = 1;
  /// In the text encoders, where that is not `weight`.
  std::optional<double> text_encoder_weight = {};
  /// Rank that its layers are cut to, as AUTOMATIC1111's web UI does (dyn_dim): the first rows of `down` and columns of
  /// `up`, with the scale of the whole.
  std::optional<std::int64_t> dyn = {};
  /// Leaves out the layers that the model lacks, which are otherwise an error.
  bool partial = false;

  bool operator==(const Lora&) const = default;
};

/// The weights that LoRA files may change, linear layers' [out, in], convolutions' [out, in, k, k] and norms' [size],
/// each under every name that files give its layer (adapters/lora_names.h); the layers' biases [out] under that and
/// ".bias". Those of text encoders begin with lora_te, text_encoder or lycoris_text_model, and no others do.
using LoraWeights = std::unordered_map<std::string, torch::Tensor>;

/// Result of merging LoRA files.
struct MergedLoras {
  /// One line for each file with layers that are left out; a file of which no layer fits is an error even so.
  std::vector<std::string> warnings;
  /// The weights that changed, each with its values of before, in the memory of before.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> before;
};

/// Merges LoRA files (Hu et al. 2021) and LyCORIS' (LoHa, LoKr, differences of weights; any with DoRA) into a model:
/// W += weight (W' - W), file after file, where W' = W + alpha / rank delta; with DoRA W' has lengths of its own, so
/// that the order of the files counts (AUTOMATIC1111's Lora/network.py does the same; in peft a weight scales DoRA's
/// delta instead, the lengths stay). In float32, rounded to the weight's dtype once. A weight that changes gets memory
/// of its own (set_data); the others may go on viewing a mapped file. Throws std::runtime_error as read_lora does, and
/// where a file does not fit the model: one line that lists every unexpected and misshapen layer (20 of each kind, and
/// their number). The model is then unchanged.
MergedLoras apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights);

/// Restores the weights of before the merge, to the bit. What was merged later must have been removed.
void remove_loras(const MergedLoras& merged);

/// Throws as apply_loras does and returns its warnings, without merging.
std::vector<std::string> check_loras(const std::vector<Lora>& loras, const LoraWeights& weights);

}  // namespace sfumato
