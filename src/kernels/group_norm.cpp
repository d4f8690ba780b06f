#include "kernels/group_norm.h"

#include "kernels/cuda_inference.h"
#include "kernels/group_norm_statistics.h"
#include "kernels/group_norm_training.h"
#include "kernels/lanes.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

/// True if the loops over channels-last pixels accept x.
bool fits_loops(const torch::Tensor& x) {
  return x.dim() == 4 && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         x.size(1) % lanes::kWidest == 0;
}

/// True for the dtype that the loops do not read.
bool is_float16(const torch::Tensor& x) {
  return is_cpu_inference(x) && x.scalar_type() == torch::kFloat16;
}

std::optional<torch::Tensor> cpu_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                            const GroupNormFusion& fusion) {
  if (is_float16(x)) {
    const auto y = cpu_group_norm(widened(x), parameters, fusion);
    return y ? std::optional(y->to(x.scalar_type())) : std::nullopt;
  }
  if (const auto map = group_norm_affine(x, parameters, fusion)) return group_norm::apply_map(x, *map);
  if (fits_loops(x) && is_cpu_training(x)) return trainable_group_norm(x, parameters, fusion);
  return std::nullopt;
}

}  // namespace

std::optional<NormAffine> group_norm_affine(const torch::Tensor& x, const GroupNormParameters& parameters,
                                            const GroupNormFusion& fusion) {
  if (!fits_loops(x) || !is_cpu_inference(x)) return std::nullopt;
  const auto moments = group_norm::moments_of(is_float16(x) ? widened(x) : x);
  const auto map = group_norm::map_of(moments, group_norm::pixels_of(x), parameters, fusion);
  return NormAffine{.factor = map.factor, .shift = map.shift, .silu = fusion.silu};
}

std::optional<torch::Tensor> fused_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                              const GroupNormFusion& fusion) {
  return x.is_cuda() ? cuda_group_norm(x, parameters, fusion) : cpu_group_norm(x, parameters, fusion);
}

}  // namespace sfumato
