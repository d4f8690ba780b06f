#include "nn/normed_convolution.h"

#include <utility>

#include "kernels/plain_inference.h"

namespace sfumato {

torch::Tensor normed_convolution(GroupNorm& norm, const GroupNormFusion& fusion, Conv2d& conv, torch::Tensor x,
                                 const torch::Tensor& added) {
  if (conv->fuses(x))
    if (auto affine = norm->affine(x, fusion))
      return conv->forward_fused(x, {.norm = std::move(affine), .added = added});
  x = norm->forward_fused(x, fusion);
  x = conv(x);
  if (!added.defined()) return x;
  return is_cpu_inference(x) && added.scalar_type() == x.scalar_type() ? x.add_(added) : x + added;
}

}  // namespace sfumato
