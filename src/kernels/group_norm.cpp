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
         x.size(1) % lanes::kLane == 0;
}

std::optional<torch::Tensor> cpu_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                            const GroupNormFusion& fusion) {
  if (!fits_loops(x)) return std::nullopt;
  if (is_cpu_inference(x)) {
    const auto moments = group_norm::moments_of(x);
    return group_norm::apply_map(x, group_norm::map_of(moments, group_norm::pixels_of(x), parameters, fusion),
                                 fusion.silu);
  }
  if (is_cpu_training(x)) return trainable_group_norm(x, parameters, fusion);
  return std::nullopt;
}

}  // namespace

std::optional<torch::Tensor> fused_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                              const GroupNormFusion& fusion) {
  return x.is_cuda() ? cuda_group_norm(x, parameters, fusion) : cpu_group_norm(x, parameters, fusion);
}

}  // namespace sfumato
