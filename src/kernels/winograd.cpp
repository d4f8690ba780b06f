#include "kernels/winograd.h"

#include "core/processor.h"
#include "kernels/lanes.h"
#include "kernels/plain_inference.h"
#include "kernels/winograd_convolution.h"

namespace sfumato {
namespace {

// With fewer tiles the transform of the weights, whose cost is constant, outweighs the gain. Measured on a Zen 5.
constexpr std::int64_t kWorthwhileTiles = 32;

torch::Tensor channels_last(const torch::Tensor& image) {
  return image.defined() ? image.contiguous(at::MemoryFormat::ChannelsLast) : image;
}

template <class T, class W = T>
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const ConvolutionFusion& fusion) {
  auto inner = fusion;
  inner.added = channels_last(fusion.added);
  return winograd::convolve<T, W>(channels_last(x), weight, bias, inner);
}

bool has_whole_vectors(const torch::Tensor& weight, torch::Dtype dtype) {
  const auto vector = lanes::kWidest * (dtype == torch::kBFloat16 ? 2 : 1);
  return weight.size(0) % vector == 0 && weight.size(1) % vector == 0;
}

std::int64_t tiles_of(const torch::Tensor& x, torch::Dtype dtype, std::int64_t upsampling = 1) {
  return dtype == torch::kBFloat16 ? winograd::Tiles<at::BFloat16>(x, upsampling).count()
                                   : winograd::Tiles<float>(x, upsampling).count();
}

}  // namespace

bool winograd_pays(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t upsampling) {
  const auto dtype = is_widened_inference(x) ? torch::kFloat32 : x.scalar_type();  // of the products
  if (!is_cpu_inference(x) || weight.scalar_type() != x.scalar_type() || !has_whole_vectors(weight, dtype))
    return false;
  if (dtype == torch::kBFloat16 && has_amx()) return false;
  return tiles_of(x, dtype, upsampling) >= kWorthwhileTiles;
}

bool winograd_pays_in_training(const torch::Tensor& x, const torch::Tensor& weight) {
  if (!is_cpu_training(x)) return false;
  const auto dtype = training_dtype(x);
  if (dtype == torch::kBFloat16 && (has_amx() || !has_fast_bfloat16())) return false;
  if (weight.scalar_type() != torch::kFloat32 && weight.scalar_type() != dtype) return false;
  return has_whole_vectors(weight, dtype) && tiles_of(x, dtype) >= kWorthwhileTiles;
}

torch::Tensor convolve_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                const ConvolutionFusion& fusion) {
  if (is_widened_inference(x)) {
    auto inner = fusion;
    inner.added = widened(fusion.added);
    const auto y = weight.scalar_type() == torch::kFloat16
                       ? convolve<float, at::Half>(widened(x), weight, bias, inner)
                       : convolve<float, at::BFloat16>(widened(x), weight, bias, inner);
    return y.to(x.scalar_type());
  }
  if (x.scalar_type() == torch::kBFloat16) return convolve<at::BFloat16>(x, weight, bias, fusion);
  return convolve<float>(x, weight, bias, fusion);
}

}  // namespace sfumato
