#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "models/autoencoder_kl.h"
#include "models/config.h"

namespace sfumato {

/// config.json of diffusers' VQModel, with its defaults.
struct VQModelConfig : AutoencoderKLConfig {
  VQModelConfig();

  std::int64_t num_vq_embeddings = 256;
  /// 0 for latent_channels (null in the file).
  std::int64_t vq_embed_dim = 0;

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static VQModelConfig from_json(const Json& config);
};

/// Codebook of the VQ-VAE (van den Oord et al. 2017; diffusers' VectorQuantizer).
class VectorQuantizerImpl : public torch::nn::Module {
 public:
  VectorQuantizerImpl(std::int64_t count, std::int64_t size);
  /// Replaces each vector z[n, :, y, x] of [N, size, h, w] by the nearest one of the codebook.
  torch::Tensor forward(const torch::Tensor& z);

 private:
  Embedding embedding_{nullptr};
};
TORCH_MODULE(VectorQuantizer);

/// Vector-quantised autoencoder of latent diffusion (Esser et al. 2021, Rombach et al. 2022; diffusers' VQModel).
/// Diffusion uses the latents before quantisation, which is the decoder's first layer.
class VQModelImpl : public Autoencoder {
 public:
  using Config = VQModelConfig;
  /// Throws std::invalid_argument for values that do not fit together.
  explicit VQModelImpl(Config config);

  const Config& config() const override { return config_; }
  /// Renames attention in older checkpoints.
  static std::string rename_key(const std::string& key) { return rename_attention_key(key); }

 protected:
  /// Returns the latents before quantisation.
  torch::Tensor encoder_output(const torch::Tensor& x) override;
  torch::Tensor decoder_output(const torch::Tensor& z) override;
  DiagonalGaussian posterior_of(const torch::Tensor& output) const override { return DiagonalGaussian::point(output); }
  bool has_image_statistics() const override { return true; }

 private:
  Config config_;
  Encoder encoder_{nullptr};
  Decoder decoder_{nullptr};
  VectorQuantizer quantize_{nullptr};
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
};
TORCH_MODULE(VQModel);

}  // namespace sfumato
