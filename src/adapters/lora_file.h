#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// What a LoRA file changes of one weight, whatever the method (lora_methods.h): W' = W + scale delta, or with a
/// magnitude, DoRA's, magnitude (W + scale delta) / |W + scale delta|.
struct LoraLayer {
  /// The layer as the file names it, prefix included; with ".bias", the layer's bias.
  std::string name;
  LoraMatrix delta;
  /// alpha / rank, where the file gives an alpha that counts, else 1.
  double scale = 1;
  /// [out, 1] or [1, in] (lora_magnitude.h), or undefined.
  torch::Tensor magnitude;
  /// The parts and their sizes, as an error names them: "down [2, 3] and up [4, 2]".
  std::string parts;
};

/// The weights in a folder as peft (adapter_model) or diffusers (pytorch_lora_weights) writes it; another path is
/// returned as it is. Throws std::runtime_error where the folder holds neither.
std::filesystem::path lora_weights_file(const std::filesystem::path& path);

/// The layers of a LoRA file or folder: every method's keys (lora_methods.h), with alpha, peft's alphas in diffusers'
/// metadata or in the adapter_config.json beside peft's own files, dora_scale and lora_magnitude_vector. Embeddings
/// that are bundled with it (textual_inversion.h) are no layers. Throws std::runtime_error that names the file, and
/// OFT, GLoRA, IA3 and other methods by their names; else it lists the keys that are no part of a layer, and the layers
/// of which a part is missing or does not fit the others.
/// With `dyn`, layers are cut to that rank (Lora::dyn); those of another method than up and down are refused.
std::vector<LoraLayer> read_lora(const std::filesystem::path& file_or_folder, std::optional<std::int64_t> dyn = {});

}  // namespace sfumato
