#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/unet_2d_condition_encoder.h"

namespace sfumato {

/// config.json of diffusers' ControlNetModel, with its defaults.
struct ControlNetModelConfig {
  /// Values in common with its UNet; those of the up blocks keep their defaults.
  UNet2DConditionModelConfig unet;
  /// Channels of its control image.
  std::int64_t conditioning_channels = 3;
  /// rgb or bgr, which reverses the channels.
  std::string controlnet_conditioning_channel_order = "rgb";
  /// Each but the first halves the image's sides, so that their number gives the pixels of a latent pixel.
  std::vector<std::int64_t> conditioning_embedding_out_channels{16, 32, 96, 256};
  /// True if only the mean of each residual is used (ControlNets for the whole image, such as shuffle).
  bool global_pool_conditions = false;

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static ControlNetModelConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;
  /// Throws std::invalid_argument if the values do not fit together.
  void validate() const;
  /// Side of a latent pixel in pixels of the control image.
  std::int64_t downscale_factor() const;
};

/// Strength of a ControlNet.
struct ControlNetWeight {
  double conditioning_scale = 1;
  /// Scales down the residuals of shallow layers, starting at a tenth (Zhang et al. 2023, section 3.4, for guessing the
  /// prompt from the image); has no effect with global_pool_conditions.
  bool guess_mode = false;
};

/// diffusers' ControlNetConditioningEmbedding: embeds an image as features of latent size.
class ControlNetConditioningEmbeddingImpl : public torch::nn::Module {
 public:
  explicit ControlNetConditioningEmbeddingImpl(const ControlNetModelConfig& config);
  torch::Tensor forward(const torch::Tensor& conditioning);

 private:
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  torch::nn::ModuleList blocks_;
};
TORCH_MODULE(ControlNetConditioningEmbedding);

/// Copy of a UNet's down and mid blocks that receives a control image and computes residuals for the UNet's features
/// (Zhang et al. 2023; diffusers' ControlNetModel).
class ControlNetModelImpl : public UNet2DConditionEncoder {
 public:
  using Config = ControlNetModelConfig;
  /// Throws std::invalid_argument as Config::validate does.
  explicit ControlNetModelImpl(Config config);

  /// Embeds the image [1 or N, conditioning_channels, f H, f W] in [0, 1], f being Config::downscale_factor, as
  /// features [1 or N, C, H, W]. They are the same at every timestep, so that they are computed once.
  torch::Tensor embed(const torch::Tensor& controlnet_cond);

  /// Returns the scaled residuals for UNet2DConditionInput; `embedding` is the result of embed.
  UNetFeatures forward(const UNet2DConditionInput& input, const torch::Tensor& embedding,
                       const ControlNetWeight& weight = {});

  const Config& config() const { return config_; }
  /// Returns every key unchanged.
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
