#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "nn/embeddings.h"
#include "nn/layers.h"

namespace sfumato {

/// Keys of transformers' CLIPVisionConfig, and one of our own.
struct CLIPVisionModelConfig {
  std::int64_t hidden_size = 768;
  std::int64_t intermediate_size = 3072;
  std::int64_t projection_dim = 512;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  /// Channels of the images, or of latents.
  std::int64_t num_channels = 3;
  std::int64_t image_size = 224;
  std::int64_t patch_size = 32;
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;
  /// True for a model of noised images (Nichol et al. 2021, section 2.3), which receives their timesteps. The key is
  /// our own: transformers has no such model.
  bool time_embedding = false;

  /// Throws std::invalid_argument naming an unsupported key and its value.
  static CLIPVisionModelConfig from_json(const Json& json);
  nlohmann::ordered_json to_json() const;

  bool operator==(const CLIPVisionModelConfig&) const = default;
};

struct CLIPVisionModelOutput {
  /// [N, 1 + (image_size / patch_size)^2, hidden_size], not normalised; the class token is first.
  torch::Tensor last_hidden_state;
  /// The class token's state after post_layernorm: [N, hidden_size].
  torch::Tensor pooler_output;
};

class CLIPVisionLayerImpl;

/// Image encoder of CLIP (Radford et al. 2021): transformers' CLIPVisionModel, with parameters named without the prefix
/// `vision_model.`. With time_embedding, a TimestepEmbedding of the timestep's sinusoids (diffusers'
/// get_timestep_embedding) is added to every position before pre_layrnorm.
class CLIPVisionModelImpl : public torch::nn::Module {
 public:
  using Config = CLIPVisionModelConfig;
  explicit CLIPVisionModelImpl(const Config& config);

  /// pixels [N, num_channels, image_size, image_size]; timestep [], [1] or [N] with time_embedding, else undefined.
  CLIPVisionModelOutput forward(const torch::Tensor& pixels, const torch::Tensor& timestep = {});

  /// Initialises the weights for training from scratch. The time embedding starts at zero.
  void initialize(at::Generator generator);

  /// Strips the prefix; "" for position_ids.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return config_; }

 private:
  torch::Tensor embed(const torch::Tensor& pixels);

  Config config_;
  torch::Tensor class_embedding_;
  Conv2d patch_embedding_;
  Embedding position_embedding_;
  TimestepEmbedding time_embedding_{nullptr};
  std::vector<std::shared_ptr<CLIPVisionLayerImpl>> layers_;
  LayerNorm pre_layrnorm_, post_layernorm_;
};
TORCH_MODULE(CLIPVisionModel);

}  // namespace sfumato
