#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/unet_2d_condition_encoder.h"

namespace sfumato {

/// config.json of diffusers' ControlNetModel, with its defaults.
struct ControlNetModelConfig {
  /// What it has in common with the UNet that it is for; its other half keeps its defaults.
  UNet2DConditionModelConfig unet;
  /// Channels of the picture it is shown.
  std::int64_t conditioning_channels = 3;
  /// rgb or bgr, which turns the channels round.
  std::string controlnet_conditioning_channel_order = "rgb";
  /// Each but the first halves the picture's sides, so that they say how many pixels a latent one is.
  std::vector<std::int64_t> conditioning_embedding_out_channels{16, 32, 96, 256};
  /// Only the mean of each residual counts (ControlNets for the whole picture, as of shuffled ones).
  bool global_pool_conditions = false;

  /// Unknown keys are ignored. Throws std::invalid_argument for a value that is not supported.
  static ControlNetModelConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;
  /// Throws std::invalid_argument where the values do not fit together.
  void validate() const;
  /// Pixels of the picture that it is shown to a latent one, each way.
  std::int64_t downscale_factor() const;
};

/// How much a ControlNet has to say.
struct ControlNetWeight {
  double conditioning_scale = 1;
  /// The residuals of the shallow layers count less, from a tenth on (Zhang et al. 2023, section 3.4, where the prompt
  /// is to be guessed from the picture); has no effect with global_pool_conditions.
  bool guess_mode = false;
};

/// diffusers' ControlNetConditioningEmbedding: a picture as features of latent size.
class ControlNetConditioningEmbeddingImpl : public torch::nn::Module {
 public:
  explicit ControlNetConditioningEmbeddingImpl(const ControlNetModelConfig& config);
  torch::Tensor forward(const torch::Tensor& conditioning);

 private:
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  torch::nn::ModuleList blocks_;
};
TORCH_MODULE(ControlNetConditioningEmbedding);

/// A copy of a UNet's way down and middle that is shown a picture, and what it adds to the UNet's features
/// (Zhang et al. 2023; diffusers' ControlNetModel).
class ControlNetModelImpl : public UNet2DConditionEncoder {
 public:
  using Config = ControlNetModelConfig;
  /// Throws std::invalid_argument as Config::validate does.
  explicit ControlNetModelImpl(Config config);

  /// The picture [1 or N, conditioning_channels, f H, f W] in [0, 1], f being Config::downscale_factor, as features
  /// [1 or N, C, H, W]: the same at every timestep, so that they are computed once.
  torch::Tensor embed(const torch::Tensor& controlnet_cond);

  /// The residuals for UNet2DConditionInput, scaled; `embedding` as embed gives it.
  UNetFeatures forward(const UNet2DConditionInput& input, const torch::Tensor& embedding,
                       const ControlNetWeight& weight = {});

  const Config& config() const { return config_; }
  /// Every key is as the checkpoint has it.
  static std::string rename_key(const std::string& key) { return key; }

 private:
  void add_controlnet_blocks();
  void scale(UNetFeatures& residuals, const ControlNetWeight& weight) const;

  Config config_;
  ControlNetConditioningEmbedding controlnet_cond_embedding_{nullptr};
  torch::nn::ModuleList controlnet_down_blocks_;
  Conv2d controlnet_mid_block_{nullptr};
};
TORCH_MODULE(ControlNetModel);

}  // namespace sfumato
