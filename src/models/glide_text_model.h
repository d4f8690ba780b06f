#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "nn/layers.h"

namespace sfumato {

/// The keys of transformers' CLIPTextConfig that GLIDE's text transformer has; defaults are the released model's.
struct GLIDETextModelConfig {
  std::int64_t vocab_size = 50257;
  std::int64_t hidden_size = 512;
  std::int64_t intermediate_size = 2048;
  std::int64_t num_hidden_layers = 16;
  std::int64_t num_attention_heads = 8;
  std::int64_t max_position_embeddings = 128;
  /// "gelu"; "quick_gelu" in folders that diffusers 0.0.4 converted.
  std::string hidden_act = "gelu";
  double layer_norm_eps = 1e-5;
  /// Positions without a token have a learned embedding of their own.
  bool use_padding_embeddings = true;

  /// Unknown keys are ignored. Throws std::invalid_argument for a value that is not supported.
  static GLIDETextModelConfig from_json(const Json& json);
  nlohmann::ordered_json to_json() const;
  /// Throws std::invalid_argument where the values do not fit together.
  void validate() const;
};

class GLIDETextLayerImpl;

/// The text transformer of GLIDE (Nichol et al. 2021, section 2.3), under the names of the CLIPTextModel in diffusers
/// 0.0.4's pipeline_glide.py. Attention is not causal and hides nothing: padding positions hold a learned embedding and
/// are attended to as the others.
class GLIDETextModelImpl : public torch::nn::Module {
 public:
  using Config = GLIDETextModelConfig;
  /// Throws std::invalid_argument as Config::validate does.
  explicit GLIDETextModelImpl(const Config& config);

  /// ids int64 [N, L], mask bool [N, L], true at a token and false at padding, L at most max_position_embeddings: the
  /// states [N, L, hidden_size] after the final norm. The UNet's time embedding receives the last of them.
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& mask);

  /// Strips the prefix `text_model.`; "" for position_ids.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return config_; }

 private:
  torch::Tensor embed(const torch::Tensor& ids, const torch::Tensor& mask);

  Config config_;
  Embedding token_embedding_, position_embedding_, padding_embedding_{nullptr};
  std::vector<std::shared_ptr<GLIDETextLayerImpl>> layers_;
  LayerNorm final_layer_norm_;
};
TORCH_MODULE(GLIDETextModel);

}  // namespace sfumato
