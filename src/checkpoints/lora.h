#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sfumato {

/// A LoRA file and how strongly it works.
struct Lora {
  std::filesystem::path path;
  double weight = 1;
  /// In the text encoders, where that is not `weight`.
  std::optional<double> text_encoder_weight = {};
};

/// The weights that LoRA files may change, linear layers' [out, in] and convolutions' [out, in, k, k], each under every
/// name that files give its layer (models/lora_names.h). Those of text encoders begin with lora_te or text_encoder, and
/// no others do.
using LoraWeights = std::unordered_map<std::string, torch::Tensor>;

/// Merges LoRA files (Hu et al. 2021) into a model: W += sum of weight alpha / rank up down, summed in float32 and
/// rounded to the weight's dtype once. A weight that changes gets memory of its own (set_data); the others may go on
/// viewing a mapped file. Throws std::runtime_error as read_lora does, and where a file does not fit the model: one
/// line that lists every unexpected and misshapen layer (20 of each kind, and their number). The model is then
/// unchanged.
void apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights);

}  // namespace sfumato
