#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// What a LoRA (Hu et al. 2021) adds to one layer's weight: scale up down.
struct LoraLayer {
  /// The layer as the file names it, prefix included.
  std::string name;
  /// [rank, in], or [rank, in, k, k] of a convolution, which `up` follows with 1 x 1.
  torch::Tensor down;
  /// [out, rank] or [out, rank, 1, 1].
  torch::Tensor up;
  /// [rank, rank, k, k] between the two where a k x k convolution is in three parts (`down` is 1 x 1 then), or
  /// undefined.
  torch::Tensor mid;
  /// alpha / rank, where the file gives an alpha, else 1.
  double scale = 1;

  std::int64_t rank() const { return down.size(0); }
};

/// The layers of a LoRA file: kohya's keys (lora_down, lora_up, lora_mid, alpha), peft's (lora_A, lora_B, alpha from
/// diffusers' metadata) and diffusers' older ones (lora.down, lora_linear_layer.down, processor.to_q_lora.down). Throws
/// std::runtime_error that names the file, and LoHa, LoKr, DoRA and other methods by their names; else it lists the
/// keys that are not a LoRA's, and the layers of which a part is missing.
std::vector<LoraLayer> read_lora(const std::filesystem::path& path);

}  // namespace sfumato
