#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/json.h"
#include "nn/layers.h"

namespace sfumato {

/// Keys of transformers' T5Config that the encoder depends on.
struct T5EncoderModelConfig {
  std::int64_t vocab_size = 32128;
  std::int64_t d_model = 512;
  /// Size of one attention head; num_heads * d_kv need not be d_model.
  std::int64_t d_kv = 64;
  std::int64_t d_ff = 2048;
  std::int64_t num_layers = 6;
  std::int64_t num_heads = 8;
  std::int64_t relative_attention_num_buckets = 32;
  std::int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  /// "relu" (T5), or "gated-gelu" (T5 1.1, with the tanh form of GELU).
  std::string feed_forward_proj = "relu";

  /// Throws std::invalid_argument naming an unsupported key and its value.
  static T5EncoderModelConfig from_json(const Json& json);
  /// Writes transformers' config.json with a dtype: transformers would otherwise compute in that of the stored weights.
  Json to_json() const;
};

class T5StackImpl;

/// Encoder of T5 (Raffel et al. 2020): transformers' T5EncoderModel with the same parameter names. It has no dropout:
/// train mode and eval mode give the same result.
class T5EncoderModelImpl : public torch::nn::Module {
 public:
  using Config = T5EncoderModelConfig;
  explicit T5EncoderModelImpl(const Config& config);

  /// ids [N, L] int64 -> last_hidden_state [N, L, d_model] in the weights' dtype. `attention_mask` [N, L] is 1 for
  /// tokens that are attended to and 0 for others. An undefined mask attends to all, padding included, as in diffusers'
  /// StableDiffusionPipeline.
  torch::Tensor forward(const torch::Tensor& ids, const torch::Tensor& attention_mask = {});

  /// Returns "" for the other keys of a whole T5's checkpoint: the tied embeddings, the decoder and its head.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return config_; }

 private:
  Config config_;
  Embedding shared_{nullptr};
  std::shared_ptr<T5StackImpl> encoder_;
};
TORCH_MODULE(T5EncoderModel);

/// Initialises the weights for training from scratch, as transformers' T5PreTrainedModel._init_weights does with factor
/// 1: normal, and scaled so that unscaled dot products have unit standard deviation.
void initialize(T5EncoderModelImpl& model, at::Generator generator);

/// Returns T5's bucket of each relative position (key minus query), bidirectional: int64 [length, length] on the CPU.
/// Half of the buckets are for keys after the query; of each half, one half is exact and the other logarithmic up to
/// `max_distance` (transformers' T5Attention._relative_position_bucket).
torch::Tensor relative_position_buckets(std::int64_t length, std::int64_t buckets, std::int64_t max_distance);

}  // namespace sfumato
