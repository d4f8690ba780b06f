#include "nn/layers.h"

#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/processor.h"
#include "kernels/convolution.h"
#include "kernels/linear.h"
#include "kernels/one_dnn.h"
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

/// Checks the input of a layer with packed weights, for which LibTorch has no gradients, and returns it contiguous.
torch::Tensor packed_input(const torch::Tensor& x, const torch::Tensor& weight,
                           at::MemoryFormat format = at::MemoryFormat::Contiguous) {
  TORCH_CHECK(is_cpu_inference(x) && x.scalar_type() == weight.scalar_type(),
              "packed weights accept inputs of their dtype on the CPU, without gradients");
  return x.contiguous(format);
}

/// Frees a weight that is packed. What is left has its shape and is NaN everywhere.
void free_packed(torch::Tensor& weight) {
  weight.set_data(torch::full({1}, std::numeric_limits<double>::quiet_NaN(), weight.options().requires_grad(false))
                      .expand(weight.sizes()));
}

}  // namespace

LinearImpl::LinearImpl(std::int64_t in, std::int64_t out, bool with_bias) {
  weight = register_parameter("weight", torch::empty({out, in}));
  if (with_bias) bias = register_parameter("bias", torch::empty({out}));
}

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  if (packed_.empty()) return linear_layer(x, weight, bias);
  return one_dnn_linear(packed_input(x, weight), packed_.at(0), bias).value();
}

torch::Tensor LinearImpl::forward_plus(const torch::Tensor& x, const torch::Tensor& added) {
  if (packed_.empty()) return linear_plus(x, weight, bias, added);
  return one_dnn_linear_with(packed_input(x, weight), packed_input(added, weight), packed_.at(0), bias, "add").value();
}

torch::Tensor LinearImpl::forward_geglu(const torch::Tensor& x) {
  if (packed_.empty()) return linear_geglu(x, weight, bias);
  return packed_linear_geglu(packed_input(x, weight), packed_, bias);
}

void LinearImpl::pack(std::int64_t parts) {
  if (!packed_.empty()) return;
  std::vector<torch::Tensor> packed;
  for (const auto& part : weight.detach().chunk(parts)) packed.push_back(pack_linear(part).value());
  packed_ = std::move(packed);
  free_packed(weight);
}

Conv2dImpl::Conv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, ConvOptions options)
    : options_(options) {
  weight = register_parameter("weight", torch::empty({out, in, kernel, kernel}));
  if (options.bias) bias = register_parameter("bias", torch::empty({out}));
}

bool Conv2dImpl::keeps_size(std::int64_t kernel) const {
  return weight.size(2) == kernel && options_.stride == 1 && 2 * options_.padding == kernel - 1;
}

/// True if the convolution is a linear layer of the pixels of x, as they lie in memory.
bool Conv2dImpl::is_linear(const torch::Tensor& x) const {
  return keeps_size(1) && is_cpu_inference(x) && x.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool Conv2dImpl::fuses(const torch::Tensor& x, std::int64_t upsampling) const {
  return !packed_.defined() && keeps_size(3) && !CircularPadding::is_enabled() && winograd_pays(x, weight, upsampling);
}

torch::Tensor Conv2dImpl::forward_fused(const torch::Tensor& x, const ConvolutionFusion& fusion) {
  return convolve_winograd(x, weight, bias, fusion);
}

void Conv2dImpl::pack() {
  if (keeps_size(3) && !has_amx()) return;  // Winograd's transforms read plain weights
  constexpr std::int64_t kPackedChannels = 64;
  const bool as_linear = keeps_size(1);
  const auto least = as_linear ? 1 : kPackedChannels;
  if (packed_.defined() || weight.size(0) < least || weight.size(1) < least) return;
  const auto plain = weight.detach();
  packed_ = (as_linear ? pack_linear(plain.flatten(1))
                       : pack_convolution(plain, {.stride = options_.stride, .padding = options_.padding}))
                .value();
  free_packed(weight);
}

torch::Tensor Conv2dImpl::forward_packed(const torch::Tensor& x, std::int64_t padding) const {
  const auto input = packed_input(x, weight, at::MemoryFormat::ChannelsLast);
  if (keeps_size(1)) return one_dnn_linear(input.permute({0, 2, 3, 1}), packed_, bias).value().permute({0, 3, 1, 2});
  return one_dnn_convolution(input, packed_, bias, {.stride = options_.stride, .padding = padding});
}

torch::Tensor Conv2dImpl::plain_convolution(const torch::Tensor& x, std::int64_t padding) const {
  if (!is_widened_inference(x)) return torch::conv2d(x, weight, bias, options_.stride, padding);
  return torch::conv2d(widened(x), widened(weight), widened(bias), options_.stride, padding).to(x.scalar_type());
}

torch::Tensor Conv2dImpl::forward(const torch::Tensor& x) {
  if (CircularPadding::is_enabled() && options_.padding > 0) {
    const std::vector<std::int64_t> sides(4, options_.padding);
    const auto padded = at::pad(x, sides, "circular");
    return packed_.defined() ? forward_packed(padded, 0) : plain_convolution(padded, 0);
  }
  if (packed_.defined()) return forward_packed(x, options_.padding);
  if (keeps_size(3) && winograd_pays(x, weight)) return convolve_winograd(x, weight, bias);
  if (keeps_size(3) && winograd_pays_in_training(x, weight)) return trainable_winograd(x, weight, bias);
  if (keeps_size(3) && patches_pay(x, weight)) return convolve_patches(x, weight, bias);
  if (is_linear(x)) return linear_layer(x.permute({0, 2, 3, 1}), weight.flatten(1), bias).permute({0, 3, 1, 2});
  return plain_convolution(x, options_.padding);
}

torch::Tensor Conv2dImpl::forward_plus(const torch::Tensor& x, const torch::Tensor& added) {
  if (!is_linear(x) || added.scalar_type() != x.scalar_type()) return forward(x) + added;
  const auto pixels = x.permute({0, 2, 3, 1}), sums = added.permute({0, 2, 3, 1}).contiguous();
  const auto y = packed_.defined() ? one_dnn_linear_with(pixels, sums, packed_, bias, "add").value()
                                   : linear_plus(pixels, weight.flatten(1), bias, sums);
  return y.permute({0, 3, 1, 2});
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
