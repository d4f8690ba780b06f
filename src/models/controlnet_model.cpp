#include "models/controlnet_model.h"

#include <cmath>
#include <utility>

namespace sfumato {

ControlNetConditioningEmbeddingImpl::ControlNetConditioningEmbeddingImpl(const ControlNetModelConfig& config) {
  const auto& channels = config.conditioning_embedding_out_channels;
  conv_in_ = register_module("conv_in", same_size_conv(config.conditioning_channels, channels.front(), 3));
  blocks_ = register_module("blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    blocks_->push_back(same_size_conv(channels[i], channels[i], 3));
    blocks_->push_back(Conv2d(channels[i], channels[i + 1], 3, ConvOptions{.stride = 2, .padding = 1}));
  }
  conv_out_ = register_module("conv_out", same_size_conv(channels.back(), config.unet.block_out_channels.front(), 3));
}

torch::Tensor ControlNetConditioningEmbeddingImpl::forward(const torch::Tensor& conditioning) {
  auto x = torch::silu(conv_in_(conditioning));
  for (std::size_t i = 0; i < blocks_->size(); ++i) x = torch::silu(blocks_->at<Conv2dImpl>(i).forward(x));
  return conv_out_(x);
}

ControlNetModelImpl::ControlNetModelImpl(Config config)
    : UNet2DConditionEncoder((config.validate(), config.unet)), config_(std::move(config)) {
  controlnet_cond_embedding_ = register_module("controlnet_cond_embedding", ControlNetConditioningEmbedding(config_));
  add_controlnet_blocks();
  find_text_layers();
}

void ControlNetModelImpl::add_controlnet_blocks() {
  const auto& channels = config_.unet.block_out_channels;
  controlnet_down_blocks_ = register_module("controlnet_down_blocks", torch::nn::ModuleList());
  const auto add = [&](std::int64_t width) { controlnet_down_blocks_->push_back(Conv2d(width, width, 1)); };
  add(channels.front());  // for conv_in
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const bool downsamples = i + 1 < channels.size();
    const auto features = at_block(config_.unet.layers_per_block, i) + (downsamples ? 1 : 0);
    for (std::int64_t j = 0; j < features; ++j) add(channels[i]);
  }
  controlnet_mid_block_ = register_module("controlnet_mid_block", Conv2d(channels.back(), channels.back(), 1));
}

torch::Tensor ControlNetModelImpl::embed(const torch::Tensor& controlnet_cond) {
  const bool bgr = config_.controlnet_conditioning_channel_order == "bgr";
  return controlnet_cond_embedding_(
      (bgr ? controlnet_cond.flip(1) : controlnet_cond).to(conv_in->weight.scalar_type()));
}

UNetFeatures ControlNetModelImpl::forward(const UNet2DConditionInput& input, const torch::Tensor& embedding,
                                          const ControlNetWeight& weight) {
  const auto x = conv_input(input.sample);
  auto features = blocks_.encode(conv_in(x) + embedding, conditions(input, x.scalar_type()));
  auto& down = features.down_block_res_samples;
  for (std::size_t i = 0; i < down.size(); ++i) down[i] = controlnet_down_blocks_->at<Conv2dImpl>(i).forward(down[i]);
  features.mid_block_res_sample = controlnet_mid_block_(features.mid_block_res_sample);
  scale(features, weight);
  return features;
}

void ControlNetModelImpl::scale(UNetFeatures& residuals, const ControlNetWeight& weight) const {
  auto& down = residuals.down_block_res_samples;
  auto& mid = residuals.mid_block_res_sample;
  const bool graded = weight.guess_mode && !config_.global_pool_conditions;
  const auto last = static_cast<double>(down.size());
  for (std::size_t i = 0; i < down.size(); ++i) {
    const auto share = graded ? std::pow(10.0, static_cast<double>(i) / last - 1) : 1.0;  // 0.1 to 1, evenly in log
    down[i] = down[i] * (weight.conditioning_scale * share);
  }
  mid = mid * weight.conditioning_scale;
  if (!config_.global_pool_conditions) return;
  for (auto& residual : down) residual = residual.mean({2, 3}, true);
  mid = mid.mean({2, 3}, true);
}

}  // namespace sfumato
