#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <set>
#include <string>

namespace sfumato {

class AttentionImpl;

/// Layers in which the last `rows` of a batch use the identity as attention map (perturbed-attention guidance, Ahn et
/// al. 2024): each pixel keeps its own value.
struct IdentityAttention {
  std::set<const AttentionImpl*> layers = {};
  std::int64_t rows = 0;

  bool includes(const AttentionImpl& layer) const { return rows > 0 && layers.contains(&layer); }
};

/// Finds the self-attention layers of `network` whose names match one of `patterns`: comma-separated regular
/// expressions such as mid,down_blocks.(1|2) (diffusers' `pag_applied_layers`). Throws std::invalid_argument for one
/// that matches none.
std::set<const AttentionImpl*> self_attention_layers(const torch::nn::Module& network, const std::string& patterns);

/// Returns the self-attention layer of `network` with this name, or null.
const AttentionImpl* find_self_attention(const torch::nn::Module& network, const std::string& name);

}  // namespace sfumato
