#include "kernels/plain_inference.h"

#include <ATen/autocast_mode.h>

#include "core/processor.h"

namespace sfumato {
namespace {

bool infers_on_cpu(const torch::Tensor& x) {
  return x.is_cpu() && !at::GradMode::is_enabled() && !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace

bool is_plain_inference(const torch::Tensor& x) {
  return infers_on_cpu(x) && x.scalar_type() == torch::kFloat32;
}

bool is_bfloat16_inference(const torch::Tensor& x) {
  static const bool fast = has_fast_bfloat16();
  return fast && infers_on_cpu(x) && x.scalar_type() == torch::kBFloat16;
}

bool is_cpu_inference(const torch::Tensor& x) {
  return is_plain_inference(x) || is_bfloat16_inference(x);
}

}  // namespace sfumato
