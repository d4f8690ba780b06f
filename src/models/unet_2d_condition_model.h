#pragma once

#include <torch/torch.h>

#include <string>

#include "models/unet_2d_condition_encoder.h"

namespace sfumato {

/// Denoising UNet of latent diffusion (Rombach et al. 2022; diffusers' UNet2DConditionModel).
class UNet2DConditionModelImpl : public UNet2DConditionEncoder {
 public:
  using Config = UNet2DConditionModelConfig;
  /// Throws std::invalid_argument as Config::validate does.
  explicit UNet2DConditionModelImpl(Config config);

  /// Returns the raw prediction [N, out_channels, H, W] in the weights' dtype. H and W need not divide by the strides.
  torch::Tensor forward(const UNet2DConditionInput& input);
  torch::Tensor forward(const torch::Tensor& sample, double timestep, const torch::Tensor& encoder_hidden_states);

  const Config& config() const { return unet_config(); }
  /// Returns every key unchanged.
  static std::string rename_key(const std::string& key) { return key; }

  /// The last layer; training may start it from zero.
  Conv2d conv_out{nullptr};

 private:
  void add_up_blocks();

  GroupNorm conv_norm_out_{nullptr};
};
TORCH_MODULE(UNet2DConditionModel);

}  // namespace sfumato
