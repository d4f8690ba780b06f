#include "nn/unet_blocks.h"

#include <utility>

namespace sfumato {
namespace {

void add_attention(torch::nn::ModuleList& attentions, const UNetBlockOptions& options) {
  const auto channels = options.out_channels;
  if (options.attention == BlockAttention::kCross) {
    auto transformer = options.transformer;
    const auto& layers = options.transformer_layers;
    transformer.num_layers = layers.size() == 1 ? layers.front() : layers.at(attentions->size());
    attentions->push_back(Transformer2DModel(channels, transformer));
  } else if (options.attention == BlockAttention::kSimpleCross) {
    attentions->push_back(Attention(AttentionOptions{.query_dim = channels,
                                                     .added_kv_proj_dim = options.transformer.cross_attention_dim,
                                                     .only_cross_attention = options.transformer.only_cross_attention,
                                                     .heads = channels / options.attention_head_dim,
                                                     .dim_head = options.attention_head_dim,
                                                     .bias = true,
                                                     .norm_num_groups = options.resnet.groups,
                                                     .residual_connection = true}));
  } else if (options.attention == BlockAttention::kSelf) {
    attentions->push_back(Attention(AttentionOptions{.query_dim = channels,
                                                     .heads = channels / options.attention_head_dim,
                                                     .dim_head = options.attention_head_dim,
                                                     .bias = true,
                                                     .norm_num_groups = options.attention_groups,
                                                     .eps = options.resnet.eps,
                                                     .residual_connection = true,
                                                     .rescale_output_factor = options.resnet.output_scale_factor}));
  }
}

torch::Tensor attend(torch::nn::ModuleList& attentions, std::size_t layer, const torch::Tensor& x,
                     const CrossAttention& cross) {
  if (layer >= attentions->size()) return x;
  const auto module = attentions->ptr(layer);
  if (auto* transformer = module->as<Transformer2DModelImpl>()) return transformer->forward(x, cross);
  auto& attention = attentions->at<AttentionImpl>(layer);
  return attention.forward_image(cross.input_of(attention, x));
}

torch::Tensor resnet(torch::nn::ModuleList& resnets, std::size_t layer, torch::Tensor x, const torch::Tensor& temb) {
  return resnets->at<ResnetBlock2DImpl>(layer).forward(std::move(x), temb);
}

}  // namespace

UNetDownBlockImpl::UNetDownBlockImpl(const UNetBlockOptions& options) : options_(options) {
  attentions_ = register_module("attentions", torch::nn::ModuleList());
  resnets_ = register_module("resnets", torch::nn::ModuleList());
  downsamplers_ = register_module("downsamplers", torch::nn::ModuleList());
  const auto channels = options.out_channels;
  for (std::int64_t i = 0; i < options.num_layers; ++i) {
    resnets_->push_back(ResnetBlock2D(i == 0 ? options.in_channels : channels, channels, options.resnet));
    add_attention(attentions_, options);
  }
  if (options.resample == BlockResample::kConv) {
    downsamplers_->push_back(Downsample2D(channels, options.downsample_padding));
  } else if (options.resample == BlockResample::kResnet) {
    downsamplers_->push_back(ResnetBlock2D(channels, channels, options.resnet, Resample::kDown));
  }
}

torch::Tensor UNetDownBlockImpl::forward(torch::Tensor x, const BlockConditions& conditions,
                                         std::vector<torch::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_->size(); ++i) {
    x = attend(attentions_, i, resnet(resnets_, i, std::move(x), conditions.temb), conditions.cross);
    skips.push_back(x);
  }
  if (options_.resample == BlockResample::kNone) return x;
  x = options_.resample == BlockResample::kConv ? downsamplers_->at<Downsample2DImpl>(0).forward(x)
                                                : resnet(downsamplers_, 0, x, conditions.temb);
  skips.push_back(x);
  return x;
}

UNetMidBlockImpl::UNetMidBlockImpl(const UNetBlockOptions& options) : options_(options) {
  attentions_ = register_module("attentions", torch::nn::ModuleList());
  resnets_ = register_module("resnets", torch::nn::ModuleList());
  options_.out_channels = options.in_channels;
  for (std::int64_t i = 0; i <= options.num_layers; ++i) {
    resnets_->push_back(ResnetBlock2D(options.in_channels, options.in_channels, options.resnet));
    if (i < options.num_layers) add_attention(attentions_, options_);
  }
}

torch::Tensor UNetMidBlockImpl::forward(torch::Tensor x, const BlockConditions& conditions) {
  x = resnet(resnets_, 0, std::move(x), conditions.temb);
  for (std::size_t i = 1; i < resnets_->size(); ++i) {
    x = attend(attentions_, i - 1, x, conditions.cross);
    x = resnet(resnets_, i, std::move(x), conditions.temb);
  }
  return x;
}

UNetUpBlockImpl::UNetUpBlockImpl(const UNetBlockOptions& options) : options_(options) {
  attentions_ = register_module("attentions", torch::nn::ModuleList());
  resnets_ = register_module("resnets", torch::nn::ModuleList());
  upsamplers_ = register_module("upsamplers", torch::nn::ModuleList());
  const auto channels = options.out_channels;
  for (std::int64_t i = 0; i < options.num_layers; ++i) {
    const auto skip = i == options.num_layers - 1 ? options.in_channels : channels;
    const auto before = i == 0 ? options.prev_output_channel : channels;
    resnets_->push_back(ResnetBlock2D(before + skip, channels, options.resnet));
    add_attention(attentions_, options);
  }
  if (options.resample == BlockResample::kConv) {
    upsamplers_->push_back(Upsample2D(channels));
  } else if (options.resample == BlockResample::kResnet) {
    upsamplers_->push_back(ResnetBlock2D(channels, channels, options.resnet, Resample::kUp));
  }
}

torch::Tensor UNetUpBlockImpl::upsampled(const torch::Tensor& x, const torch::Tensor& temb,
                                         const std::vector<torch::Tensor>& skips) {
  if (options_.resample == BlockResample::kNone) return x;
  if (options_.resample == BlockResample::kResnet) return resnet(upsamplers_, 0, x, temb);
  const SpatialSize size{skips.back().size(2), skips.back().size(3)};
  return upsamplers_->at<Upsample2DImpl>(0).forward(x, size);
}

torch::Tensor UNetUpBlockImpl::forward(torch::Tensor x, const BlockConditions& conditions,
                                       std::vector<torch::Tensor>& skips) {
  for (std::size_t i = 0; i < resnets_->size(); ++i) {
    TORCH_CHECK(!skips.empty(), "an up block without a skip connection left");
    x = torch::cat({x, skips.back()}, 1);
    skips.pop_back();
    x = attend(attentions_, i, resnet(resnets_, i, std::move(x), conditions.temb), conditions.cross);
  }
  return upsampled(x, conditions.temb, skips);
}

void place_down_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                      BlockResample resample) {
  options.in_channels = channels[block == 0 ? 0 : block - 1];
  options.out_channels = channels[block];
  options.resample = block + 1 < channels.size() ? resample : BlockResample::kNone;
}

void place_up_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                    BlockResample resample) {
  const auto mirrored = channels.size() - 1 - block;
  options.in_channels = channels[mirrored == 0 ? 0 : mirrored - 1];
  options.out_channels = channels[mirrored];
  options.prev_output_channel = channels[block == 0 ? mirrored : mirrored + 1];
  options.resample = mirrored > 0 ? resample : BlockResample::kNone;
}

UNetFeatures UNetBlocks::encode(torch::Tensor x, const BlockConditions& conditions) {
  std::vector<torch::Tensor> skips{x};
  for (std::size_t i = 0; i < down_blocks->size(); ++i) {
    x = down_blocks->at<UNetDownBlockImpl>(i).forward(x, conditions, skips);
  }
  if (mid_block) x = mid_block(x, conditions);
  return {.down_block_res_samples = std::move(skips), .mid_block_res_sample = x};
}

torch::Tensor UNetBlocks::decode(UNetFeatures features, const BlockConditions& conditions) {
  auto x = std::move(features.mid_block_res_sample);
  for (std::size_t i = 0; i < up_blocks->size(); ++i) {
    x = up_blocks->at<UNetUpBlockImpl>(i).forward(std::move(x), conditions, features.down_block_res_samples);
  }
  return x;
}

torch::Tensor UNetBlocks::forward(torch::Tensor x, const BlockConditions& conditions) {
  return decode(encode(std::move(x), conditions), conditions);
}

}  // namespace sfumato
