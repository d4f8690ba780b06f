#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/offload.h"
#include "models/vae_tiling.h"

namespace sfumato {

/// Members common to the configs of diffusers' autoencoders, with AutoencoderKL's defaults.
struct AutoencoderConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels{64};
  std::int64_t latent_channels = 4;
  double scaling_factor = 0.18215;
  /// 0 if the file has null.
  double shift_factor = 0;
  /// One for each latent channel; empty if the file has null.
  std::vector<double> latents_mean, latents_std;
  bool force_upcast = true;

  /// Side of one latent pixel in image pixels.
  std::int64_t downscale_factor() const { return std::int64_t{1} << (block_out_channels.size() - 1); }
};

/// Posterior of an encoder: an independent normal distribution for each latent value (Kingma & Welling 2014), or a
/// point if the encoder is deterministic.
struct DiagonalGaussian {
  /// mean and logvar (clamped to -30..20) from moments [N, 2C, h, w].
  explicit DiagonalGaussian(const torch::Tensor& moments);
  /// Distribution of a deterministic encoder, without logvar and KL divergence.
  static DiagonalGaussian point(const torch::Tensor& mean);

  bool is_point() const { return !logvar.defined(); }
  /// mean + exp(logvar / 2) noise, with standard normal noise of mean's shape.
  torch::Tensor sample(const torch::Tensor& noise) const;
  torch::Tensor mode() const { return mean; }
  /// KL divergence from the standard normal, summed over an image: [N].
  torch::Tensor kl() const;

  torch::Tensor mean, logvar;  // [N, C, h, w]

 private:
  DiagonalGaussian() = default;
};

/// Map between images and latents: AutoencoderKL or AutoencoderTiny.
class Autoencoder : public torch::nn::Module {
 public:
  /// Encodes x [N, in_channels, H, W] in [-1, 1] to the posterior over latents [N, latent_channels, H/f, W/f], not yet
  /// scaled. Works in tiles if `tiling` applies to an image of this size; throws std::invalid_argument for a tile that
  /// is not a whole number of latent pixels.
  DiagonalGaussian encode(const torch::Tensor& x, const std::optional<VaeTiling>& tiling = std::nullopt);
  /// Decodes unscaled z [N, latent_channels, h, w], also in tiles, to [N, out_channels, f h, f w] in about [-1, 1].
  torch::Tensor decode(const torch::Tensor& z, const std::optional<VaeTiling>& tiling = std::nullopt);
  virtual const AutoencoderConfig& config() const = 0;
  /// Lets the weights, which are on the CPU, rest there from now on, and compute on `device`.
  void offload(torch::Device device) { offloaded_ = std::make_unique<OffloadedWeights>(*this, device); }

  /// Converts the autoencoder's latents to those of diffusion, of unit standard deviation: (z - shift) scale.
  torch::Tensor scale(const torch::Tensor& z) const;
  /// The inverse of scale.
  torch::Tensor unscale(const torch::Tensor& latents) const;

 protected:
  /// Returns the encoder's output for an image or a tile: moments [N, 2C, h, w] or, without a distribution, latents
  /// [N, C, h, w].
  virtual torch::Tensor encoder_output(const torch::Tensor& x) = 0;
  virtual torch::Tensor decoder_output(const torch::Tensor& z) = 0;
  virtual DiagonalGaussian posterior_of(const torch::Tensor& output) const = 0;
  /// True if norms use statistics over the image, which tiles should share.
  virtual bool has_image_statistics() const = 0;

 private:
  torch::Tensor in_tiles(const torch::Tensor& x, const TileSizes& sizes, const VaeTiling& tiling, const TileMap& map);

  std::unique_ptr<OffloadedWeights> offloaded_;
};

}  // namespace sfumato
