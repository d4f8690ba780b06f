#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "models/clip_text_model.h"
#include "models/clip_vision_model.h"

namespace sfumato {

/// Keys of transformers' CLIPConfig.
struct CLIPModelConfig {
  CLIPTextModelConfig text_config;
  CLIPVisionModelConfig vision_config;
  /// Width of both features.
  std::int64_t projection_dim = 512;
  double logit_scale_init_value = 2.6592;

  /// As in transformers, text_config_dict and vision_config_dict of older files replace text_config and vision_config.
  /// Throws std::invalid_argument for the config of another class, and naming an unsupported key and its value.
  static CLIPModelConfig from_json(const Json& json);
  nlohmann::ordered_json to_json() const;

  bool operator==(const CLIPModelConfig&) const = default;
};

/// CLIP (Radford et al. 2021): transformers' CLIPModel, with its parameters' names.
class CLIPModelImpl : public torch::nn::Module {
 public:
  using Config = CLIPModelConfig;
  explicit CLIPModelImpl(const Config& config);

  /// Returns the features of texts, ids [N, L] int64: [N, projection_dim], of any length (transformers'
  /// get_text_features).
  torch::Tensor text_features(const torch::Tensor& ids);
  /// Returns the features of images [N, C, S, S]: [N, projection_dim], of any length (get_image_features). `timestep`
  /// [], [1] or [N] is required with time_embedding and undefined without.
  torch::Tensor image_features(const torch::Tensor& pixels, const torch::Tensor& timestep = {});
  /// Returns the factor of similarities, exp(logit_scale).
  torch::Tensor logit_factor() const { return logit_scale_.exp(); }
  /// Limits the factor to 100 (Radford et al. 2021, section 2.5). Called after an update.
  void clamp_logit_scale();

  /// Initialises the weights for training from scratch.
  void initialize(const at::Generator& generator);

  /// "" for position_ids.
  static std::string rename_key(const std::string& key);

  const Config& config() const { return config_; }

 private:
  Config config_;
  torch::Tensor logit_scale_;
  CLIPTextModel text_model_;
  CLIPVisionModel vision_model_;
  Linear visual_projection_, text_projection_;
};
TORCH_MODULE(CLIPModel);

/// Divides features [N, D] by their lengths.
torch::Tensor unit_length(const torch::Tensor& features);

}  // namespace sfumato
