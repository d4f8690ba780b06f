#include "nn/resnet.h"

#include <limits>
#include <stdexcept>
#include <utility>

#include "nn/normed_convolution.h"

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
  const bool doubles = !size || *size == SpatialSize{2 * x.size(2), 2 * x.size(3)};
  if (doubles && conv_->fuses(x, 2)) return conv_->forward_fused(x, {.upsampling = 2});
  return conv_(upsample_nearest(x, size));
}

ResnetBlock2DImpl::ResnetBlock2DImpl(std::int64_t in_channels, std::int64_t out_channels, const ResnetOptions& options,
                                     Resample resample)
    : nonlinearity_(activation(options.non_linearity)),
      options_(options),
      silu_(is_silu(options.non_linearity)),
      resample_(resample) {
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

GroupNormFusion ResnetBlock2DImpl::time_fusion(const torch::Tensor& temb) {
  if (!time_emb_proj_) return {.silu = silu_};
  const auto time = time_emb_proj_(nonlinearity_(temb));  // [N, C or 2C]
  if (options_.time_embedding_norm == "default") return {.added = time, .silu = silu_};
  const auto scale_and_shift = time.chunk(2, 1);
  return {.scale = scale_and_shift[0], .shift = scale_and_shift[1], .silu = silu_};
}

torch::Tensor ResnetBlock2DImpl::activated(GroupNorm& norm, const torch::Tensor& x,
                                           const GroupNormFusion& fusion) const {
  const auto y = norm->forward_fused(x, fusion);
  return silu_ ? y : nonlinearity_(y);
}

torch::Tensor ResnetBlock2DImpl::first_half(const torch::Tensor& x) {
  if (silu_ && resample_ == Resample::kNone) return normed_convolution(norm1_, {.silu = true}, conv1_, x);
  return conv1_(resized(activated(norm1_, x, {.silu = silu_})));
}

torch::Tensor ResnetBlock2DImpl::second_half(torch::Tensor hidden, const torch::Tensor& temb,
                                             const torch::Tensor& input) {
  const auto fusion = time_fusion(temb);
  const bool drops = options_.dropout > 0 && is_training();
  if (silu_ && !drops) return normed_convolution(norm2_, fusion, conv2_, std::move(hidden), input);
  hidden = activated(norm2_, hidden, fusion);
  if (drops) hidden = torch::dropout(hidden, options_.dropout, /*train=*/true);
  return conv2_(hidden) + input;
}

torch::Tensor ResnetBlock2DImpl::forward(torch::Tensor x, const torch::Tensor& temb) {
  auto hidden = first_half(x);
  x = resized(x);
  if (conv_shortcut_) x = conv_shortcut_(x);
  hidden = second_half(std::move(hidden), temb, x);
  return options_.output_scale_factor == 1 ? hidden : hidden / options_.output_scale_factor;
}

}  // namespace sfumato
