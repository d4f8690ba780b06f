#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/layers.h"

namespace sfumato {

/// Self-attention of a transformer of CLIP's kind (transformers' CLIPAttention).
class CLIPAttentionImpl : public torch::nn::Module {
 public:
  /// With `is_causal`, each position attends to itself and earlier ones.
  CLIPAttentionImpl(std::int64_t hidden_size, std::int64_t num_attention_heads, bool is_causal);
  /// x [N, L, hidden_size].
  torch::Tensor forward(const torch::Tensor& x);

  Linear k_proj, v_proj, q_proj, out_proj;

 private:
  torch::Tensor heads(const torch::Tensor& x) const;

  std::int64_t heads_;
  bool is_causal_;
};

/// The position-wise layers of a transformer of CLIP's kind (transformers' CLIPMLP). hidden_act is gelu, or quick_gelu:
/// x sigmoid(1.702 x).
class CLIPMLPImpl : public torch::nn::Module {
 public:
  CLIPMLPImpl(std::int64_t hidden_size, std::int64_t intermediate_size, const std::string& hidden_act);
  /// x [N, L, hidden_size].
  torch::Tensor forward(const torch::Tensor& x);

  Linear fc1, fc2;

 private:
  bool quick_;
};
TORCH_MODULE(CLIPMLP);

/// A layer of a transformer of CLIP's kind (transformers' CLIPEncoderLayer): attention and the position-wise layers,
/// each after a norm and added to its input. `Attention` is a module holder that takes the config.
template <class Attention, class Config>
class CLIPLayerImpl : public torch::nn::Module {
 public:
  explicit CLIPLayerImpl(const Config& config)
      : self_attn(config),
        layer_norm1(config.hidden_size, config.layer_norm_eps),
        mlp(config.hidden_size, config.intermediate_size, config.hidden_act),
        layer_norm2(config.hidden_size, config.layer_norm_eps) {
    register_module("self_attn", self_attn);
    register_module("layer_norm1", layer_norm1);
    register_module("mlp", mlp);
    register_module("layer_norm2", layer_norm2);
  }

  /// x [N, L, hidden_size].
  torch::Tensor forward(const torch::Tensor& x) {
    const auto attended = x + self_attn(layer_norm1(x));
    return attended + mlp(layer_norm2(attended));
  }

  Attention self_attn;
  LayerNorm layer_norm1;
  CLIPMLP mlp;
  LayerNorm layer_norm2;
};

/// Makes the num_hidden_layers layers of a transformer of CLIP's kind, and registers them in `model` as encoder.layers.
template <class Layer, class Config>
std::vector<std::shared_ptr<Layer>> register_clip_layers(torch::nn::Module& model, const Config& config) {
  std::vector<std::shared_ptr<Layer>> layers;
  auto list = torch::nn::ModuleList();
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers.push_back(std::make_shared<Layer>(config));
    list->push_back(layers.back());
  }
  model.register_module("encoder", std::make_shared<torch::nn::Module>())->register_module("layers", list);
  return layers;
}

/// Throws std::invalid_argument naming the class for a hidden_act that CLIPMLP does not have.
void require_clip_activation(const std::string& class_name, const std::string& hidden_act);

}  // namespace sfumato
