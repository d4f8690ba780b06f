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

/// A LoRA file and its strength.
struct Lora {
  std::filesystem::path path;
  double weight = 1;
  /// Weight in the text encoders, if different from `weight`.
  std::optional<double> text_encoder_weight = {};
  /// Rank to which its layers are cut, as in AUTOMATIC1111's web UI (dyn_dim): the first rows of `down` and columns of
  /// `up`, with the scale of the full rank.
  std::optional<std::int64_t> dyn = {};
  /// Leaves out the layers that the model lacks, which are otherwise an error.
  bool partial = false;

  bool operator==(const Lora&) const = default;
};

/// Weights that LoRA files may change: those of linear layers [out, in], convolutions [out, in, k, k] and norms [size],
/// each under every name that files use for its layer (adapters/lora_names.h); biases [out] under that name and
/// ".bias". Names of text encoders begin with lora_te, text_encoder or lycoris_text_model, and no others do.
using LoraWeights = std::unordered_map<std::string, torch::Tensor>;

/// Result of merging LoRA files.
struct MergedLoras {
  /// One line for each file with skipped layers; a file without any fitting layer is still an error.
  std::vector<std::string> warnings;
  /// The changed weights, each with its previous values in their original memory.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> before;
};

/// Merges LoRA files (Hu et al. 2021) and LyCORIS' (LoHa, LoKr, differences of weights; any with DoRA) into a model:
/// W += weight (W' - W), file after file, where W' = W + alpha / rank delta. With DoRA W' has its own lengths, so the
/// order of the files matters (as in AUTOMATIC1111's Lora/network.py; in peft a weight scales DoRA's delta instead, and
/// the lengths stay). Computes in float32 and rounds to the weight's dtype once. A changed weight gets its own memory
/// (set_data); the others may still view a mapped file. Throws std::runtime_error as read_lora does, and if a file does
/// not fit the model: one line that lists all unexpected and misshapen layers (6 of each kind, and their number). The
/// model is then unchanged.
MergedLoras apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights);

/// Restores the weights before the merge, bit for bit. Later merges must be removed first.
void remove_loras(const MergedLoras& merged);

/// Throws as apply_loras does and returns its warnings, without merging.
std::vector<std::string> check_loras(const std::vector<Lora>& loras, const LoraWeights& weights);

}  // namespace sfumato
