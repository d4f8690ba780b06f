#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// A LoRA file's change of one weight, for any method (lora_methods.h): W' = W + scale delta or, with DoRA's magnitude,
/// magnitude (W + scale delta) / |W + scale delta|.
struct LoraLayer {
  /// Name of the layer in the file, prefix included; with ".bias" for the layer's bias.
  std::string name;
  LoraMatrix delta;
  /// alpha / rank if the file has an alpha that applies, else 1.
  double scale = 1;
  /// [out, 1] or [1, in] (lora_magnitude.h), or undefined.
  torch::Tensor magnitude;
  /// Parts and their sizes for errors: "down [2, 3] and up [4, 2]".
  std::string parts;
};

/// Returns the weights file of a folder that peft (adapter_model) or diffusers (pytorch_lora_weights) wrote; a path of
/// another kind is returned unchanged. Throws std::runtime_error if the folder holds neither.
std::filesystem::path lora_weights_file(const std::filesystem::path& path);

/// Reads the layers of a LoRA file or folder: every method's keys (lora_methods.h), with alpha, peft's alphas in
/// diffusers' metadata or in the adapter_config.json next to peft's own files, dora_scale and lora_magnitude_vector.
/// Skips bundled embeddings (textual_inversion.h). Throws std::runtime_error that names the file, and OFT, GLoRA, IA3
/// and other unsupported methods by their names. Otherwise the error lists the keys that belong to no layer, and the
/// layers with a part that is missing or does not fit the others.
/// With `dyn`, layers are cut to that rank (Lora::dyn); layers of methods other than up and down are refused.
std::vector<LoraLayer> read_lora(const std::filesystem::path& file_or_folder, std::optional<std::int64_t> dyn = {});

}  // namespace sfumato
