#include "kernels/cuda_inference.h"

#include <ATen/autocast_mode.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "kernels/cuda_library.h"

namespace sfumato {
namespace {

using Tensor = torch::Tensor;

std::optional<int> kernel_dtype(torch::Dtype dtype) {
  if (dtype == torch::kFloat32) return kSfumatoFloat32;
  if (dtype == torch::kBFloat16) return kSfumatoBfloat16;
  if (dtype == torch::kFloat16) return kSfumatoFloat16;
  return std::nullopt;
}

/// The functions, if x is a tensor that they accept.
const CudaKernels* kernels_for(const Tensor& x) {
  if (!x.is_cuda() || at::GradMode::is_enabled() || at::autocast::is_autocast_enabled(at::kCUDA)) return nullptr;
  if (!kernel_dtype(x.scalar_type()) || x.numel() == 0) return nullptr;
  const auto& loaded = cuda_kernels().kernels;
  return loaded ? &*loaded : nullptr;
}

/// True if each is undefined or of x's device and dtype.
template <class... Tensors>
bool match(const Tensor& x, const Tensors&... others) {
  return (... && (!others.defined() || (others.device() == x.device() && others.scalar_type() == x.scalar_type())));
}

const void* pointer_to(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

/// True if [N, C] rows can be passed to the kernels with the stride of `stride`.
bool is_rows(const Tensor& embedding, const Tensor& x, std::int64_t stride) {
  if (!embedding.defined()) return true;
  return embedding.dim() == 2 && embedding.size(0) == x.size(0) && embedding.size(1) == x.size(1) &&
         embedding.stride(1) == 1 && embedding.stride(0) == stride;
}

/// Runs a function of the library on the device and current stream of x.
template <class Call>
void queue(const CudaKernels& kernels, int (*function)(const Call*, void*), const Call& call, const Tensor& x) {
  const c10::DeviceGuard guard(x.device());
  const auto stream = c10::impl::VirtualGuardImpl(torch::kCUDA).getStream(x.device());
  const int result = function(&call, stream.native_handle());
  TORCH_CHECK(result == kSfumatoDone, "a CUDA kernel for ", x.sizes(), " failed: ", kernels.error(result));
}

}  // namespace

std::optional<Tensor> cuda_group_norm(const Tensor& x, const GroupNormParameters& parameters,
                                      const GroupNormFusion& fusion) {
  const auto* kernels = kernels_for(x);
  if (kernels == nullptr || x.dim() != 4 || !x.is_contiguous(at::MemoryFormat::ChannelsLast)) return std::nullopt;
  const auto& any = fusion.added.defined() ? fusion.added : fusion.scale;
  const auto stride = any.defined() ? any.stride(0) : 0;
  const bool rows =
      is_rows(fusion.added, x, stride) && is_rows(fusion.scale, x, stride) && is_rows(fusion.shift, x, stride);
  if (!rows || !match(x, parameters.weight, parameters.bias, fusion.added, fusion.scale, fusion.shift))
    return std::nullopt;
  auto y = torch::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  SfumatoGroupNorm call{.x = pointer_to(x),
                        .y = y.mutable_data_ptr(),
                        .weight = pointer_to(parameters.weight),
                        .bias = pointer_to(parameters.bias),
                        .added = pointer_to(fusion.added),
                        .scale = pointer_to(fusion.scale),
                        .shift = pointer_to(fusion.shift),
                        .embedding_stride = stride,
                        .batch = x.size(0),
                        .pixels = x.size(2) * x.size(3),
                        .channels = x.size(1),
                        .groups = parameters.groups,
                        .eps = parameters.eps,
                        .silu = fusion.silu ? 1 : 0,
                        .dtype = *kernel_dtype(x.scalar_type())};
  const auto size = kernels->group_norm_workspace(&call);
  if (size == 0) return std::nullopt;  // too large
  const auto workspace = torch::empty({size}, x.options().dtype(torch::kFloat32));
  call.workspace = workspace.mutable_data_ptr<float>();
  queue(*kernels, kernels->group_norm, call, x);
  return y;
}

bool has_cuda_geglu(const Tensor& input) {
  return kernels_for(input) != nullptr;
}

std::optional<Tensor> cuda_geglu(const Tensor& input, const Tensor& bias) {
  const auto* kernels = kernels_for(input);
  if (kernels == nullptr || !input.is_contiguous() || !match(input, bias)) return std::nullopt;
  const auto channels = input.size(-1) / 2;
  auto shape = input.sizes().vec();
  shape.back() = channels;
  auto y = torch::empty(shape, input.options());
  const SfumatoGeglu call{.input = pointer_to(input),
                          .bias = pointer_to(bias),
                          .y = y.mutable_data_ptr(),
                          .rows = y.numel() / channels,
                          .channels = channels,
                          .dtype = *kernel_dtype(input.scalar_type())};
  queue(*kernels, kernels->geglu, call, input);
  return y;
}

std::optional<std::pair<Tensor, Tensor>> cuda_add_layer_norm(const Tensor& x, const Tensor& residual,
                                                             const Tensor& weight, const Tensor& bias, double eps) {
  const auto* kernels = kernels_for(x);
  if (kernels == nullptr || !match(x, residual, weight, bias) || x.sizes() != residual.sizes()) return std::nullopt;
  if (!x.is_contiguous() || !residual.is_contiguous()) return std::nullopt;
  auto sum = torch::empty_like(x), y = torch::empty_like(x);
  const SfumatoLayerNorm call{.x = pointer_to(x),
                              .residual = pointer_to(residual),
                              .weight = pointer_to(weight),
                              .bias = pointer_to(bias),
                              .sum = sum.mutable_data_ptr(),
                              .y = y.mutable_data_ptr(),
                              .rows = x.numel() / x.size(-1),
                              .channels = x.size(-1),
                              .eps = eps,
                              .dtype = *kernel_dtype(x.scalar_type())};
  queue(*kernels, kernels->layer_norm, call, x);
  return std::pair(sum, y);
}

}  // namespace sfumato
