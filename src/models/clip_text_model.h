#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "nn/layers.h"

namespace sfumato {

/// Keys of transformers' CLIPTextConfig.
struct CLIPTextModelConfig {
  std::int64_t vocab_size = 49408;
  std::int64_t hidden_size = 512;
  std::int64_t intermediate_size = 2048;
  std::int64_t projection_dim = 512;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 8;
  std::int64_t max_position_embeddings = 77;
  /// "quick_gelu" (OpenAI's) or "gelu" (OpenCLIP's).
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;
  /// 2 means "wrong in the config, as before transformers 4.31": the state of the highest id is then pooled.
  std::int64_t eos_token_id = 49407;

  /// Throws std::invalid_argument naming an unsupported key and its value.
  static CLIPTextModelConfig from_json(const Json& json);
  /// Writes transformers' config.json; `architecture` is the class name. It includes a dtype: transformers would
  /// otherwise compute in that of the weights on disk.
  Json to_json(const std::string& architecture = "CLIPTextModel") const;

  bool operator==(const CLIPTextModelConfig&) const = default;
};

struct CLIPTextModelOutput {
  /// [N, L, hidden_size], after final_layer_norm.
  torch::Tensor last_hidden_state;
  /// State at the end-of-text token: [N, hidden_size], or after the projection [N, projection_dim].
  torch::Tensor pooler_output;
  /// Embeddings, then the output of every layer, not normalised: num_hidden_layers + 1 of [N, L, hidden_size].
  /// That of the penultimate layer is hidden_states[hidden_states.size() - 2].
  std::vector<torch::Tensor> hidden_states;
};

class CLIPEncoderLayerImpl;

/// Text encoder of CLIP (Radford et al. 2021): transformers' CLIPTextModel, with parameters named as in version 5,
/// without the prefix `text_model.`.
class CLIPTextModelImpl : public torch::nn::Module {
 public:
  using Config = CLIPTextModelConfig;
  explicit CLIPTextModelImpl(const Config& config);

  /// ids [N, L] int64, L at most max_position_embeddings. Padding is attended to, under the causal mask.
  CLIPTextModelOutput forward(const torch::Tensor& ids);

  /// Applies final_layer_norm to a hidden state [N, L, hidden_size], as clip skip does to an inner layer's.
  torch::Tensor normalize(const torch::Tensor& hidden_state);

  /// Assigns `rows` [n, hidden_size] to the next n unused ids, and returns the first of them. The config does not
  /// change. Throws std::invalid_argument for rows of another width.
  std::int64_t add_token_embeddings(const torch::Tensor& rows);
  /// Removes the embeddings of ids `first` and above.
  void remove_token_embeddings(std::int64_t first);
  /// Number of token embeddings: all ids are smaller.
  std::int64_t token_embeddings() const { return token_embedding_->weight.size(0); }

  /// Strips the older prefix; "" for position_ids.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return config_; }

 private:
  torch::Tensor embed(const torch::Tensor& ids);
  torch::Tensor pool(const torch::Tensor& last_hidden_state, const torch::Tensor& ids) const;

  Config config_;
  Embedding token_embedding_, position_embedding_;
  std::vector<std::shared_ptr<CLIPEncoderLayerImpl>> layers_;
  LayerNorm final_layer_norm_;
};
TORCH_MODULE(CLIPTextModel);

/// CLIPTextModel whose pooled state passes through text_projection: SDXL's second encoder.
class CLIPTextModelWithProjectionImpl : public torch::nn::Module {
 public:
  using Config = CLIPTextModelConfig;
  explicit CLIPTextModelWithProjectionImpl(const Config& config);

  /// Like CLIPTextModel's, with pooler_output (transformers' text_embeds) projected.
  CLIPTextModelOutput forward(const torch::Tensor& ids);

  torch::Tensor normalize(const torch::Tensor& hidden_state) { return text_model_->normalize(hidden_state); }
  std::int64_t add_token_embeddings(const torch::Tensor& rows) { return text_model_->add_token_embeddings(rows); }
  void remove_token_embeddings(std::int64_t first) { text_model_->remove_token_embeddings(first); }
  std::int64_t token_embeddings() const { return text_model_->token_embeddings(); }

  /// "" for position_ids.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return text_model_->config(); }

 private:
  CLIPTextModel text_model_;
  Linear text_projection_;
};
TORCH_MODULE(CLIPTextModelWithProjection);

}  // namespace sfumato
