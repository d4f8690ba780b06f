#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/vae_tiling.h"
#include "nn/unet_blocks.h"

namespace sfumato {

/// config.json of diffusers' AutoencoderKL, with its defaults.
struct AutoencoderKLConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels{64};
  std::int64_t layers_per_block = 1;
  std::string act_fn = "silu";
  std::int64_t latent_channels = 4;
  std::int64_t norm_num_groups = 32;
  std::int64_t sample_size = 32;
  double scaling_factor = 0.18215;
  /// 0 where the file has null.
  double shift_factor = 0;
  /// One for each latent channel; empty where the file has null.
  std::vector<double> latents_mean, latents_std;
  bool force_upcast = true;
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  bool mid_block_add_attention = true;

  /// Unknown keys are ignored. Throws std::invalid_argument for a value that is not supported.
  static AutoencoderKLConfig from_json(const Json& config);
  nlohmann::ordered_json to_json() const;
  /// Pixels a side of one latent pixel.
  std::int64_t downscale_factor() const { return std::int64_t{1} << (block_out_channels.size() - 1); }
};

/// The encoder's answer: an independent normal distribution for each latent value (Kingma & Welling 2014).
struct DiagonalGaussian {
  /// mean and logvar (clamped to -30..20) from moments [N, 2C, h, w].
  explicit DiagonalGaussian(const torch::Tensor& moments);
  /// mean + exp(logvar / 2) noise, with standard normal noise of mean's shape.
  torch::Tensor sample(const torch::Tensor& noise) const;
  torch::Tensor mode() const { return mean; }
  /// KL divergence from the standard normal, summed over an image: [N].
  torch::Tensor kl() const;

  torch::Tensor mean, logvar;  // [N, C, h, w]
};

/// diffusers' Encoder: [N, in_channels, H, W] to moments [N, 2 latent_channels, H/f, W/f].
class EncoderImpl : public torch::nn::Module {
 public:
  explicit EncoderImpl(const AutoencoderKLConfig& config);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  GroupNorm conv_norm_out_{nullptr};
  torch::nn::ModuleList down_blocks_;
  UNetMidBlock mid_block_{nullptr};
};
TORCH_MODULE(Encoder);

/// diffusers' Decoder: [N, latent_channels, h, w] to [N, out_channels, f h, f w].
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
class AutoencoderKLImpl : public torch::nn::Module {
 public:
  using Config = AutoencoderKLConfig;
  explicit AutoencoderKLImpl(Config config);

  /// x [N, in_channels, H, W] in [-1, 1]: the posterior over latents [N, latent_channels, H/f, W/f], not yet scaled.
  DiagonalGaussian encode(const torch::Tensor& x);
  /// z [N, latent_channels, h, w], not scaled: images [N, out_channels, f h, f w], about in [-1, 1].
  torch::Tensor decode(const torch::Tensor& z);
  /// Latents as the autoencoder has them to those that diffusion works on, of unit deviation: (z - shift) scale.
  torch::Tensor scale(const torch::Tensor& z) const;
  /// The inverse of scale.
  torch::Tensor unscale(const torch::Tensor& latents) const;

  /// From now on large images are encoded and decoded in tiles. Throws std::invalid_argument for a tile that is not a
  /// whole number of latent pixels.
  void enable_tiling(const VaeTiling& tiling);

  const Config& config() const { return config_; }
  /// Older checkpoints' names of attention.
  static std::string rename_key(const std::string& key);

  Encoder encoder{nullptr};
  Decoder decoder{nullptr};

 private:
  bool is_tiled(std::int64_t height, std::int64_t width) const;
  /// map_tiles through `network`, by the whole's statistics if that is asked for.
  torch::Tensor in_tiles(torch::nn::Module& network, const torch::Tensor& x, const TileSizes& sizes,
                         const TileMap& map) const;

  Config config_;
  std::optional<VaeTiling> tiling_;
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
};
TORCH_MODULE(AutoencoderKL);

}  // namespace sfumato
