#include "kernels/plain_inference.h"

#include <ATen/autocast_mode.h>

#include "core/processor.h"

namespace sfumato {
namespace {

bool is_plain() {
  return !at::GradMode::is_enabled() && !at::autocast::is_autocast_enabled(at::kCPU);
}

/// True for float32 and for bfloat16 on processors with instructions for it.
bool has_fast_dtype(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat32 || (x.scalar_type() == torch::kBFloat16 && has_fast_bfloat16());
}

}  // namespace

bool is_plain_inference(const torch::Tensor& x) {
  return is_cpu_inference(x) && x.scalar_type() == torch::kFloat32;
}

bool is_bfloat16_inference(const torch::Tensor& x) {
  return is_cpu_inference(x) && x.scalar_type() == torch::kBFloat16 && has_fast_bfloat16();
}

bool is_widened_inference(const torch::Tensor& x) {
  return is_cpu_inference(x) && x.scalar_type() != torch::kFloat32 && !is_bfloat16_inference(x);
}

torch::Tensor widened(const torch::Tensor& x) {
  return x.defined() ? x.to(torch::kFloat32) : x;
}

bool is_cpu_inference(const torch::Tensor& x) {
  const auto dtype = x.scalar_type();
  return x.is_cpu() && is_plain() &&
         (dtype == torch::kFloat32 || dtype == torch::kBFloat16 || dtype == torch::kFloat16);
}

bool is_cpu_training(const torch::Tensor& x) {
  return x.is_cpu() && !is_plain() && has_fast_dtype(x);
}

torch::Dtype training_dtype(const torch::Tensor& x) {
  return at::autocast::is_autocast_enabled(at::kCPU) ? at::autocast::get_autocast_dtype(at::kCPU) : x.scalar_type();
}

bool is_float32_training(const torch::Tensor& x) {
  return is_cpu_training(x) && x.scalar_type() == torch::kFloat32 && !at::autocast::is_autocast_enabled(at::kCPU);
}

}  // namespace sfumato
