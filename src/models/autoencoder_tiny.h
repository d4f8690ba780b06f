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

  /// Unknown keys are ignored. Throws std::invalid_argument for a value that is not supported.
  static AutoencoderTinyConfig from_json(const Json& config);
};

/// TAESD, a small autoencoder distilled from AutoencoderKL, without a distribution over latents (diffusers'
/// AutoencoderTiny).
class AutoencoderTinyImpl : public Autoencoder {
 public:
  using Config = AutoencoderTinyConfig;
  explicit AutoencoderTinyImpl(Config config);

  /// A point: the latents themselves.
  DiagonalGaussian encode(const torch::Tensor& x) override;
  torch::Tensor decode(const torch::Tensor& z) override;
  void enable_tiling(const VaeTiling& tiling) override;

  const Config& config() const override { return config_; }
  static std::string rename_key(const std::string& key) { return key; }

 private:
  bool is_tiled(std::int64_t height, std::int64_t width) const;

  Config config_;
  std::optional<VaeTiling> tiling_;
  torch::nn::Sequential encoder_, decoder_;
};
TORCH_MODULE(AutoencoderTiny);

}  // namespace sfumato
