#include "kernels/plain_inference.h"

#include <ATen/autocast_mode.h>

namespace sfumato {

bool is_plain_inference(const torch::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == torch::kFloat32 && !at::GradMode::is_enabled() &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace sfumato
