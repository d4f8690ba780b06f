#include "nn/resnet.h"

#include <limits>
#include <stdexcept>

namespace sfumato {
Downsample2DImpl::Downsample2DImpl(std::int64_t channels, std::int64_t padding) : padding_(padding) {
  conv_ = register_module("conv", Conv2d(channels, channels, 3, ConvOptions{.stride = 2, .padding = padding}));
}

torch::Tensor Downsample2DImpl::forward(const torch::Tensor& x) {
  return conv_(padding_ == 0 ? torch::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

torch::Tensor upsample_nearest(const torch::Tensor& x, std::optional<SpatialSize> size) {
  const auto to = size.value_or(SpatialSize{2 * x.size(2), 2 * x.size(3)});
  // The channels-last kernel counts its outputs in 32 bits (PyTorch issue 141831).
  const bool large = x.size(0) * x.size(1) * to[0] * to[1] > std::numeric_limits<std::int32_t>::max();
  return torch::upsample_nearest2d(large ? x.contiguous() : x, to);
}

Upsample2DImpl::Upsample2DImpl(std::int64_t channels) {
  conv_ = register_module("conv", Conv2d(channels, channels, 3, ConvOptions{.padding = 1}));
}

torch::Tensor Upsample2DImpl::forward(const torch::Tensor& x, std::optional<SpatialSize> size) {
  return conv_(upsample_nearest(x, size));
}

ResnetBlock2DImpl::ResnetBlock2DImpl(std::int64_t in_channels, std::int64_t out_channels, const ResnetOptions& options,
                                     Resample resample)
    : nonlinearity_(activation(options.non_linearity)), options_(options), resample_(resample) {
  const bool scale_shift = options.time_embedding_norm == "scale_shift";
  if (!scale_shift && options.time_embedding_norm != "default") {
    throw std::invalid_argument("resnet_time_scale_shift '" + options.time_embedding_norm +
                                "': expected default or scale_shift");
  }
  const ConvOptions same{.padding = 1};
  norm1_ = register_module("norm1", GroupNorm(options.groups, in_channels, options.eps));
  conv1_ = register_module("conv1", Conv2d(in_channels, out_channels, 3, same));
  if (options.temb_channels > 0) {
    const auto width = scale_shift ? 2 * out_channels : out_channels;
    time_emb_proj_ = register_module("time_emb_proj", Linear(options.temb_channels, width));
  }
  norm2_ = register_module("norm2", GroupNorm(options.groups, out_channels, options.eps));
  conv2_ = register_module("conv2", Conv2d(out_channels, out_channels, 3, same));
  if (in_channels != out_channels) {
    conv_shortcut_ = register_module("conv_shortcut", Conv2d(in_channels, out_channels, 1));
  }
}

torch::Tensor ResnetBlock2DImpl::resized(const torch::Tensor& x) const {
  if (resample_ == Resample::kUp) return upsample_nearest(x);
  return resample_ == Resample::kDown ? torch::avg_pool2d(x, 2, 2) : x;
}

torch::Tensor ResnetBlock2DImpl::conditioned(const torch::Tensor& x, const torch::Tensor& temb) {
  GroupNormFusion fusion;
  if (time_emb_proj_) {
    const auto time = time_emb_proj_(nonlinearity_(temb));  // [N, C or 2C]
    if (options_.time_embedding_norm == "default") {
      fusion.added = time;
    } else {
      const auto scale_and_shift = time.chunk(2, 1);
      fusion.scale = scale_and_shift[0];
      fusion.shift = scale_and_shift[1];
    }
  }
  return activated(norm2_, x, fusion);
}

torch::Tensor ResnetBlock2DImpl::activated(GroupNorm& norm, const torch::Tensor& x, GroupNormFusion fusion) const {
  fusion.silu = is_silu(options_.non_linearity);
  const auto y = norm->forward_fused(x, fusion);
  return fusion.silu ? y : nonlinearity_(y);
}

torch::Tensor ResnetBlock2DImpl::forward(const torch::Tensor& x, const torch::Tensor& temb) {
  auto hidden = conditioned(conv1_(resized(activated(norm1_, x, {}))), temb);
  if (options_.dropout > 0) hidden = torch::dropout(hidden, options_.dropout, is_training());
  hidden = conv2_(hidden);
  const auto input = resized(x);
  hidden = hidden + (conv_shortcut_ ? conv_shortcut_(input) : input);
  return options_.output_scale_factor == 1 ? hidden : hidden / options_.output_scale_factor;
}

}  // namespace sfumato
