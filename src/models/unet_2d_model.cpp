#include "models/unet_2d_model.h"

#include <utility>

#include "kernels/plain_inference.h"
#include "nn/normed_convolution.h"

namespace sfumato {
namespace {

BlockResample resample_of(const std::string& type) {
  return type == "resnet" ? BlockResample::kResnet : BlockResample::kConv;
}

}  // namespace

UNet2DModelImpl::UNet2DModelImpl(Config config) : config_(std::move(config)) {
  config_.validate();
  const auto first = config_.block_out_channels.front();
  const auto time_embed_dim = config_.time_embedding_dim > 0 ? config_.time_embedding_dim : 4 * first;
  conv_in = register_module("conv_in", Conv2d(config_.in_channels, first, 3, ConvOptions{.padding = 1}));
  time_embedding_ = register_module("time_embedding", TimestepEmbedding(TimestepEmbeddingOptions{
                                                          .in_channels = first, .time_embed_dim = time_embed_dim}));
  add_class_embedding(time_embed_dim);
  add_blocks(time_embed_dim);
  conv_norm_out_ = register_module("conv_norm_out", GroupNorm(config_.norm_num_groups, first, config_.norm_eps));
  conv_out = register_module("conv_out", Conv2d(first, config_.out_channels, 3, ConvOptions{.padding = 1}));
}

void UNet2DModelImpl::add_class_embedding(std::int64_t time_embed_dim) {
  const auto first = config_.block_out_channels.front();
  if (config_.class_embed_type.empty() && config_.num_class_embeds > 0) {
    auto table = register_module("class_embedding", Embedding(config_.num_class_embeds, time_embed_dim));
    embed_class_ = [table](const torch::Tensor& labels) { return table->forward(labels); };
  } else if (config_.class_embed_type == "timestep") {
    const TimestepEmbeddingOptions options{.in_channels = first, .time_embed_dim = time_embed_dim};
    auto layers = register_module("class_embedding", TimestepEmbedding(options));
    embed_class_ = [layers](const torch::Tensor& x) { return layers->forward(x); };
  } else if (config_.class_embed_type == "identity") {
    embed_class_ = [](const torch::Tensor& x) { return x; };
  }
}

UNetBlockOptions UNet2DModelImpl::block_options(std::int64_t channels, std::int64_t temb_channels) const {
  UNetBlockOptions options;
  options.resnet = {.temb_channels = temb_channels,
                    .groups = config_.norm_num_groups,
                    .eps = config_.norm_eps,
                    .non_linearity = config_.act_fn,
                    .time_embedding_norm = config_.resnet_time_scale_shift,
                    .dropout = config_.dropout};
  options.attention_head_dim = config_.attention_head_dim > 0 ? config_.attention_head_dim : channels;
  options.attention_groups = config_.norm_num_groups;
  options.downsample_padding = config_.downsample_padding;
  return options;
}

void UNet2DModelImpl::add_blocks(std::int64_t temb_channels) {
  const auto& channels = config_.block_out_channels;
  const auto last = channels.size() - 1;
  blocks_.down_blocks = register_module("down_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i <= last; ++i) {
    auto options = block_options(channels[i], temb_channels);
    const bool attends = config_.down_block_types[i] == "AttnDownBlock2D";
    place_down_block(options, channels, i, attends ? resample_of(config_.downsample_type) : BlockResample::kConv);
    options.num_layers = config_.layers_per_block;
    options.attention = attends ? BlockAttention::kSelf : BlockAttention::kNone;
    blocks_.down_blocks->push_back(UNetDownBlock(options));
  }
  if (!config_.mid_block_type.empty()) {
    auto options = block_options(channels.back(), temb_channels);
    options.in_channels = channels.back();
    options.attention = config_.add_attention ? BlockAttention::kSelf : BlockAttention::kNone;
    options.resnet.output_scale_factor = config_.mid_block_scale_factor;
    // diffusers omits this norm if the resnets scale and shift, unless its number of groups is set.
    const bool norm = config_.attn_norm_num_groups > 0 || config_.resnet_time_scale_shift == "default";
    options.attention_groups = config_.attn_norm_num_groups > 0 ? config_.attn_norm_num_groups
                               : norm                           ? config_.norm_num_groups
                                                                : 0;
    blocks_.mid_block = register_module("mid_block", UNetMidBlock(options));
  }
  blocks_.up_blocks = register_module("up_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i <= last; ++i) {
    auto options = block_options(channels[last - i], temb_channels);
    const bool attends = config_.up_block_types[i] == "AttnUpBlock2D";
    place_up_block(options, channels, i, attends ? resample_of(config_.upsample_type) : BlockResample::kConv);
    options.num_layers = config_.layers_per_block + 1;
    options.attention = attends ? BlockAttention::kSelf : BlockAttention::kNone;
    blocks_.up_blocks->push_back(UNetUpBlock(options));
  }
}

torch::Tensor UNet2DModelImpl::waves(const torch::Tensor& timesteps, torch::Dtype dtype) const {
  return timestep_embedding(timesteps, {.num_channels = config_.block_out_channels.front(),
                                        .flip_sin_to_cos = config_.flip_sin_to_cos,
                                        .downscale_freq_shift = config_.freq_shift})
      .to(dtype);
}

torch::Tensor UNet2DModelImpl::class_embedding(const torch::Tensor& class_labels, torch::Dtype dtype) const {
  TORCH_CHECK(class_labels.defined(), "class_labels are needed by a network with a class embedding");
  return embed_class_(config_.class_embed_type == "timestep" ? waves(class_labels, dtype) : class_labels).to(dtype);
}

torch::Tensor UNet2DModelImpl::forward(const torch::Tensor& sample, const torch::Tensor& timestep,
                                       const torch::Tensor& class_labels) {
  auto x = sample.to(conv_in->weight.scalar_type());
  if (config_.center_input_sample) x = 2 * x - 1;
  if (is_cpu_inference(x)) x = x.contiguous(at::MemoryFormat::ChannelsLast);  // the output format of its kernels
  const auto timesteps = expand_timestep(timestep, x.size(0), x.device());
  BlockConditions conditions;
  conditions.temb = time_embedding_(waves(timesteps, x.scalar_type()));  // [N, time_embed_dim]
  if (embed_class_) conditions.temb = conditions.temb + class_embedding(class_labels, x.scalar_type());
  return normed_convolution(conv_norm_out_, {.silu = true}, conv_out, blocks_.forward(conv_in(x), conditions));
}

torch::Tensor UNet2DModelImpl::forward(const torch::Tensor& sample, double timestep) {
  return forward(sample, torch::full({1}, timestep, sample.options().dtype(torch::kFloat32)));
}

}  // namespace sfumato
