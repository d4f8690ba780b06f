#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/autoencoder.h"
#include "nn/layers.h"

namespace sfumato {

/// config.json of diffusers' AutoencoderTiny, with its defaults; block_out_channels are the decoder's.
struct AutoencoderTinyConfig : AutoencoderConfig {
  AutoencoderTinyConfig();

  std::vector<std::int64_t> encoder_block_out_channels{64, 64, 64, 64};
  std::vector<std::int64_t> num_encoder_blocks{1, 3, 3, 3};
  std::vector<std::int64_t> num_decoder_blocks{3, 3, 3, 1};
  std::string act_fn = "relu";

  /// Ignores unknown keys. Throws std::invalid_argument for an unsupported value.
  static AutoencoderTinyConfig from_json(const Json& config);
};

/// TAESD, a small autoencoder distilled from AutoencoderKL, without a distribution over latents (diffusers'
/// AutoencoderTiny).
class AutoencoderTinyImpl : public Autoencoder {
 public:
  using Config = AutoencoderTinyConfig;
  explicit AutoencoderTinyImpl(Config config);

  const Config& config() const override { return config_; }
  static std::string rename_key(const std::string& key) { return key; }

 protected:
  torch::Tensor encoder_output(const torch::Tensor& x) override;
  torch::Tensor decoder_output(const torch::Tensor& z) override;
  DiagonalGaussian posterior_of(const torch::Tensor& output) const override { return DiagonalGaussian::point(output); }
  bool has_image_statistics() const override { return false; }

 private:
  Config config_;
  torch::nn::Sequential encoder_, decoder_;
};
TORCH_MODULE(AutoencoderTiny);

}  // namespace sfumato
