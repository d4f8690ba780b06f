#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/autoencoder.h"
#include "nn/unet_blocks.h"

namespace sfumato {

/// config.json of diffusers' AutoencoderKL, with its defaults.
struct AutoencoderKLConfig : AutoencoderConfig {
  std::int64_t layers_per_block = 1;
  std::string act_fn = "silu";
  std::int64_t norm_num_groups = 32;
  std::int64_t sample_size = 32;
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  bool mid_block_add_attention = true;

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static AutoencoderKLConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;

  /// Overwrites the members whose keys are in `json`. Messages name the file's class. Throws std::invalid_argument for
  /// an unsupported value.
  void read(const Json& json, const std::string& class_name);
  /// Throws std::invalid_argument if a network of these values cannot be built.
  void validate(const std::string& class_name) const;
};

/// diffusers' Encoder: maps [N, in_channels, H, W] to moments [N, 2 latent_channels, H/f, W/f] or, without `double_z`,
/// to latents [N, latent_channels, H/f, W/f].
class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const AutoencoderKLConfig& config, bool double_z = true);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
  torch::nn::ModuleList down_blocks_;
  UNetMidBlock mid_block_{nullptr};
};
TORCH_MODULE(Encoder);

/// diffusers' Decoder: maps [N, latent_channels, h, w] to [N, out_channels, f h, f w].
class DecoderImpl : public torch::nn::Module {
 public:
  explicit DecoderImpl(const AutoencoderKLConfig& config);
  torch::Tensor forward(const torch::Tensor& z);
  /// The last layer, whose weight balances the losses of an adversarial training.
  Conv2d conv_out{nullptr};

 private:
  Conv2d conv_in_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
  torch::nn::ModuleList up_blocks_;
  UNetMidBlock mid_block_{nullptr};
};
TORCH_MODULE(Decoder);

/// The variational autoencoder of latent diffusion (Rombach et al. 2022; diffusers' AutoencoderKL).
class AutoencoderKLImpl : public Autoencoder {
 public:
  using Config = AutoencoderKLConfig;
  explicit AutoencoderKLImpl(Config config);

  const Config& config() const override { return config_; }
  /// Renames attention in older checkpoints.
  static std::string rename_key(const std::string& key);

  Encoder encoder{nullptr};
  Decoder decoder{nullptr};

 protected:
  torch::Tensor encoder_output(const torch::Tensor& x) override;
  torch::Tensor decoder_output(const torch::Tensor& z) override;
  DiagonalGaussian posterior_of(const torch::Tensor& output) const override { return DiagonalGaussian(output); }
  bool has_image_statistics() const override { return true; }

 private:
  Config config_;
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
};
TORCH_MODULE(AutoencoderKL);

}  // namespace sfumato
