#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>

namespace sfumato {

/// Parameters of a group norm: weight and bias [C].
struct GroupNormParameters {
  const torch::Tensor &weight, &bias;
  std::int64_t groups;
  double eps;
};

/// What a kernel computes in the same pass as the norm: norm(x + added) (1 + scale) + shift, then SiLU. `added` is
/// undefined or [N, C], and so are `scale` and `shift`, which need each other.
struct GroupNormFusion {
  torch::Tensor added = {}, scale = {}, shift = {};
  bool silu = false;
};

/// Map of each channel that a norm with its fusion amounts to once the statistics are known: factor x + shift, each
/// float32 [N, C], then SiLU if `silu`.
struct NormAffine {
  torch::Tensor factor, shift;
  bool silu = false;
};

/// Returns the map that fused_group_norm would apply to x on the CPU, for a kernel that applies it to what it reads.
/// Returns nothing where fused_group_norm would, and on CUDA.
std::optional<NormAffine> group_norm_affine(const torch::Tensor& x, const GroupNormParameters& parameters,
                                            const GroupNormFusion& fusion);

/// The norm of x [N, C, H, W], channels-last, by a kernel of our own, on the CPU or CUDA, with sums in float32 or
/// wider. On the CPU it has gradients. Returns nothing where LibTorch's operators must be used: on CUDA with gradients
/// or autocast, in another memory format or dtype, or with a number of channels that the kernels do not accept. Throws
/// c10::Error if a CUDA kernel fails.
std::optional<torch::Tensor> fused_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                              const GroupNormFusion& fusion);

}  // namespace sfumato
