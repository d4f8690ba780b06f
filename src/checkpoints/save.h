#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace sfumato {

struct SaveOptions {
  /// Dtype of floating-point tensors; without one each keeps its own.
  std::optional<torch::Dtype> dtype = torch::kFloat32;
  /// Shards are cut before they exceed this many bytes; 0 writes one file.
  std::int64_t max_shard_size = 0;
  /// diffusion_pytorch_model for diffusers' classes, model for transformers'.
  std::string basename = "diffusion_pytorch_model";
};

/// Writes tensors by name into `folder` as diffusers' save_pretrained does: BASENAME.safetensors, or
/// BASENAME-00001-of-0000N.safetensors with BASENAME.safetensors.index.json. metadata {"format": "pt"}.
void save_weights(const std::map<std::string, torch::Tensor>& tensors, const std::filesystem::path& folder,
                  const SaveOptions& options = {});

}  // namespace sfumato
