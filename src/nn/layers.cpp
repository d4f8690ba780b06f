#include "nn/layers.h"

#include <stdexcept>
#include <string>

#include "kernels/convolution.h"
#include "kernels/linear.h"
#include "kernels/plain_inference.h"
#include "nn/circular_padding.h"

namespace sfumato {
namespace {

torch::Tensor mapped(const torch::Tensor& x, const SharedStatistics::Affine& affine) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  shape[1] = x.size(1);
  return torch::addcmul(affine.shift.view(shape).to(x.dtype()), x, affine.factor.view(shape).to(x.dtype()));
}

}  // namespace

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool with_bias) {
  weight = register_parameter("weight", torch::empty({out, in}));
  if (with_bias) bias = register_parameter("bias", torch::empty({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  return linear_layer(x, weight, bias);
}

Conv2dImpl::Conv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, ConvOptions options)
    : options_(options) {
  weight = register_parameter("weight", torch::empty({out, in, kernel, kernel}));
  if (options.bias) bias = register_parameter("bias", torch::empty({out}));
}

bool Conv2dImpl::keeps_size(std::int64_t kernel) const {
  return weight.size(2) == kernel && options_.stride == 1 && 2 * options_.padding == kernel - 1;
}

bool Conv2dImpl::fuses(const torch::Tensor& x, std::int64_t upsampling) const {
  return keeps_size(3) && !CircularPadding::is_enabled() && winograd_pays(x, weight, upsampling);
}

torch::Tensor Conv2dImpl::forward_fused(const torch::Tensor& x, const ConvolutionFusion& fusion) {
  return convolve_winograd(x, weight, bias, fusion);
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
  if (CircularPadding::is_enabled() && options_.padding > 0) {
    const std::vector<std::int64_t> sides(4, options_.padding);
    return torch::conv2d(at::pad(x, sides, "circular"), weight, bias, options_.stride);
  }
  if (keeps_size(3) && winograd_pays(x, weight)) return convolve_winograd(x, weight, bias);
  if (keeps_size(3) && winograd_pays_in_training(x, weight)) return trainable_winograd(x, weight, bias);
  if (keeps_size(3) && patches_pay(x, weight)) return convolve_patches(x, weight, bias);
  if (keeps_size(1) && is_cpu_inference(x) && x.is_contiguous(at::MemoryFormat::ChannelsLast))
    return linear_layer(x.permute({0, 2, 3, 1}), weight.flatten(1), bias).permute({0, 3, 1, 2});
  return torch::conv2d(x, weight, bias, options_.stride, options_.padding);
}

GroupNormImpl::GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps) : groups_(groups), eps_(eps) {
  if (groups < 1 || channels % groups != 0)
    throw std::invalid_argument(std::to_string(channels) + " channels do not divide into " + std::to_string(groups) +
                                " groups (norm_num_groups)");
  weight = register_parameter("weight", torch::empty({channels}));
  bias = register_parameter("bias", torch::empty({channels}));
}

SharedStatistics::Affine GroupNormImpl::affine_of(const torch::Tensor& x) const {
  const auto groups = x.reshape({x.size(0), groups_, -1}).to(torch::kFloat32);
  const auto [variance, mean] = torch::var_mean(groups, {2}, /*unbiased=*/false);  // [N, groups]
  const auto width = weight.size(0) / groups_;
  const auto factor = (variance + eps_).rsqrt().repeat_interleave(width, 1) * weight;
  return {.factor = factor, .shift = bias - mean.repeat_interleave(width, 1) * factor};
}

torch::Tensor GroupNormImpl::normalised(const torch::Tensor& x) {
  if (auto* shared = SharedStatistics::current()) {
    if (!shared->records()) return mapped(x, shared->of(this));
    shared->record(this, affine_of(x));
  }
  // On CUDA LibTorch always computes this in NCHW and returns NCHW, which would spread to all later layers.
  return torch::group_norm(x, groups_, weight, bias, eps_).contiguous(x.suggest_memory_format());
}

std::optional<NormAffine> GroupNormImpl::affine(const torch::Tensor& x, const GroupNormFusion& fusion) const {
  if (SharedStatistics::current() != nullptr) return std::nullopt;
  return group_norm_affine(x, parameters(), fusion);
}

torch::Tensor GroupNormImpl::forward(const torch::Tensor& x) {
  return forward_fused(x, {});
}

torch::Tensor GroupNormImpl::forward_fused(const torch::Tensor& x, const GroupNormFusion& fusion) {
  if (SharedStatistics::current() == nullptr)
    if (auto y = fused_group_norm(x, parameters(), fusion)) return *y;
  const auto over_pixels = [](const torch::Tensor& rows) { return rows.unsqueeze(-1).unsqueeze(-1); };  // [N, C, 1, 1]
  auto y = normalised(fusion.added.defined() ? x + over_pixels(fusion.added) : x);
  if (fusion.scale.defined()) y = y * (1 + over_pixels(fusion.scale)) + over_pixels(fusion.shift);
  return fusion.silu ? torch::silu(y) : y;
}

LayerNormImpl::LayerNormImpl(std::int64_t size, double eps) : eps_(eps) {
  weight = register_parameter("weight", torch::empty({size}));
  bias = register_parameter("bias", torch::empty({size}));
}

torch::Tensor LayerNormImpl::forward(const torch::Tensor& x) {
  return torch::layer_norm(x, weight.sizes(), weight, bias, eps_);
}

EmbeddingImpl::EmbeddingImpl(std::int64_t count, std::int64_t size) {
  weight = register_parameter("weight", torch::empty({count, size}));
}

torch::Tensor EmbeddingImpl::forward(const torch::Tensor& ids) {
  return torch::embedding(weight, ids);
}

void make_channels_last(torch::nn::Module& network) {
  for (auto& parameter : network.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
}

}  // namespace sfumato
