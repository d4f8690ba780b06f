#include "models/autoencoder_tiny.h"

#include <stdexcept>
#include <utility>

#include "models/config.h"
#include "nn/activations.h"
#include "nn/resnet.h"

namespace sfumato {
namespace {

constexpr const char* kTinyClass = "AutoencoderTiny";

Conv2d conv3(std::int64_t in, std::int64_t out, ConvOptions options = {}) {
  options.padding = 1;
  return Conv2d(in, out, 3, options);
}

/// diffusers' AutoencoderTinyBlock with equal input and output channels.
class TinyBlockImpl : public torch::nn::Module {
 public:
  TinyBlockImpl(std::int64_t channels, Activation act) {
    conv_ = register_module(
        "conv", torch::nn::Sequential(conv3(channels, channels), torch::nn::Functional(act), conv3(channels, channels),
                                      torch::nn::Functional(act), conv3(channels, channels)));
  }
  torch::Tensor forward(const torch::Tensor& x) { return torch::relu(conv_->forward(x) + x); }

 private:
  torch::nn::Sequential conv_{nullptr};
};
TORCH_MODULE(TinyBlock);

/// Holder of `layers` in diffusers' EncoderTiny and DecoderTiny.
class TinyHalfImpl : public torch::nn::Module {
 public:
  explicit TinyHalfImpl(const torch::nn::Sequential& layers) { register_module("layers", layers); }
};

void add_blocks(torch::nn::Sequential& layers, std::int64_t count, std::int64_t channels, Activation act) {
  for (std::int64_t i = 0; i < count; ++i) layers->push_back(TinyBlock(channels, act));
}

torch::nn::Sequential encoder_layers(const AutoencoderTinyConfig& config) {
  torch::nn::Sequential layers;
  const auto& channels = config.encoder_block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    layers->push_back(i == 0 ? conv3(config.in_channels, channels[i])
                             : conv3(channels[i], channels[i], {.stride = 2, .bias = false}));
    add_blocks(layers, config.num_encoder_blocks[i], channels[i], activation(config.act_fn));
  }
  layers->push_back(conv3(channels.back(), config.latent_channels));
  return layers;
}

torch::nn::Sequential decoder_layers(const AutoencoderTinyConfig& config) {
  const auto act = activation(config.act_fn);
  const auto& channels = config.block_out_channels;
  torch::nn::Sequential layers(conv3(config.latent_channels, channels.front()), torch::nn::Functional(act));
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const bool is_last = i + 1 == channels.size();
    add_blocks(layers, config.num_decoder_blocks[i], channels[i], act);
    if (!is_last) layers->push_back(torch::nn::Functional([](const torch::Tensor& x) { return upsample_nearest(x); }));
    layers->push_back(conv3(channels[i], is_last ? config.out_channels : channels[i], {.bias = is_last}));
  }
  return layers;
}

/// Refuses different widths: each convolution maps `channels[i]` to itself, so that all must agree.
void require_one_width(const std::vector<std::int64_t>& channels, const char* key) {
  require_positive(kTinyClass, key, channels);
  for (const auto width : channels)
    if (width != channels.front()) refuse_value(kTinyClass, key, Json(channels).dump(), "equal numbers of channels");
}

void validate(const AutoencoderTinyConfig& config) {
  require_one_width(config.encoder_block_out_channels, "encoder_block_out_channels");
  require_one_width(config.block_out_channels, "decoder_block_out_channels");
  require_positive(kTinyClass, "latent_channels", {config.latent_channels});
  const auto check = [](const char* key, const auto& blocks, const auto& channels) {
    if (channels.empty() || blocks.size() != channels.size())
      refuse_value(kTinyClass, key, Json(blocks).dump(), std::to_string(channels.size()) + " numbers, one a block");
  };
  check("num_encoder_blocks", config.num_encoder_blocks, config.encoder_block_out_channels);
  check("num_decoder_blocks", config.num_decoder_blocks, config.block_out_channels);
  if (config.encoder_block_out_channels.size() != config.block_out_channels.size())
    refuse_value(kTinyClass, "encoder_block_out_channels", Json(config.encoder_block_out_channels).dump(),
                 "as many blocks as the decoder has");
}

}  // namespace

AutoencoderTinyConfig::AutoencoderTinyConfig() {
  block_out_channels = {64, 64, 64, 64};
  scaling_factor = 1;
  force_upcast = false;
}

AutoencoderTinyConfig AutoencoderTinyConfig::from_json(const Json& json) {
  require_supported(json, "upsample_fn", {"nearest"}, kTinyClass);
  require_supported(json, "upsampling_scaling_factor", {2}, kTinyClass);
  AutoencoderTinyConfig config;
  config.in_channels = value_or(json, "in_channels", config.in_channels);
  config.out_channels = value_or(json, "out_channels", config.out_channels);
  config.encoder_block_out_channels = value_or(json, "encoder_block_out_channels", config.encoder_block_out_channels);
  config.block_out_channels = value_or(json, "decoder_block_out_channels", config.block_out_channels);
  config.num_encoder_blocks = value_or(json, "num_encoder_blocks", config.num_encoder_blocks);
  config.num_decoder_blocks = value_or(json, "num_decoder_blocks", config.num_decoder_blocks);
  config.act_fn = value_or(json, "act_fn", config.act_fn);
  config.latent_channels = value_or(json, "latent_channels", config.latent_channels);
  config.scaling_factor = value_or(json, "scaling_factor", config.scaling_factor);
  config.shift_factor = value_or(json, "shift_factor", config.shift_factor);
  validate(config);
  return config;
}

AutoencoderTinyImpl::AutoencoderTinyImpl(Config config) : config_(std::move(config)) {
  validate(config_);
  encoder_ = encoder_layers(config_);
  decoder_ = decoder_layers(config_);
  register_module("encoder", std::make_shared<TinyHalfImpl>(encoder_));
  register_module("decoder", std::make_shared<TinyHalfImpl>(decoder_));
}

torch::Tensor AutoencoderTinyImpl::encoder_output(const torch::Tensor& x) {
  return encoder_->forward((x + 1) / 2);
}

torch::Tensor AutoencoderTinyImpl::decoder_output(const torch::Tensor& z) {
  constexpr double kMagnitude = 3;  // larger latents are squashed
  return decoder_->forward(torch::tanh(z / kMagnitude) * kMagnitude) * 2 - 1;
}

}  // namespace sfumato
