#include "kernels/linear.h"

#include <optional>
#include <vector>

#include "kernels/cuda_inference.h"
#include "kernels/linear_training.h"
#include "kernels/one_dnn.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

using Tensor = torch::Tensor;

// For fewer rows the cost is reading the weights, which oneDNN rearranges first.
constexpr std::int64_t kWorthwhileRows = 64;

/// True if oneDNN is faster than LibTorch's products.
bool pays(const Tensor& x, const Tensor& weight) {
  return weight.scalar_type() == x.scalar_type() && weight.is_contiguous() &&
         x.numel() >= kWorthwhileRows * weight.size(1);
}

bool pays_in_inference(const Tensor& x, const Tensor& weight) {
  return is_cpu_inference(x) && pays(x, weight);
}

/// In bfloat16 LibTorch's products are oneDNN's.
bool pays_in_training(const Tensor& x, const Tensor& weight) {
  return is_float32_training(x) && x.dim() > 1 && pays(x, weight);
}

std::optional<Tensor> one_dnn_geglu(const Tensor& x, const std::vector<Tensor>& halves, const Tensor& bias) {
  const auto biases = bias.defined() ? bias.chunk(2) : std::vector<Tensor>(2);
  const auto gate = one_dnn_linear(x, halves[1], biases[1], "gelu");
  return gate ? one_dnn_linear_with(x, *gate, halves[0], biases[0], "mul") : std::nullopt;
}

}  // namespace

Tensor linear_layer(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (is_widened_inference(x)) return linear_layer(widened(x), widened(weight), widened(bias)).to(x.scalar_type());
  if (pays_in_inference(x, weight))
    if (auto y = one_dnn_linear(x.contiguous(), weight, bias)) return *y;
  if (pays_in_training(x, weight)) return trainable_linear(x, weight, bias);
  return torch::linear(x, weight, bias);
}

Tensor linear_plus(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& added) {
  if (is_widened_inference(x))
    return linear_plus(widened(x), widened(weight), widened(bias), widened(added)).to(x.scalar_type());
  if (pays_in_inference(x, weight) && added.scalar_type() == x.scalar_type())
    if (auto y = one_dnn_linear_with(x.contiguous(), added.contiguous(), weight, bias, "add")) return *y;
  return linear_layer(x, weight, bias) + added;
}

Tensor linear_geglu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (is_widened_inference(x)) return linear_geglu(widened(x), widened(weight), widened(bias)).to(x.scalar_type());
  if (pays_in_inference(x, weight)) {
    if (auto y = one_dnn_geglu(x.contiguous(), weight.chunk(2), bias)) return *y;
  }
  // The kernel adds the bias, which LibTorch's product would copy into its result first for some shapes.
  if (has_cuda_geglu(x))
    if (auto y = cuda_geglu(torch::linear(x, weight), bias)) return *y;
  const auto value_and_gate = linear_layer(x, weight, bias).chunk(2, -1);
  return value_and_gate[0] * torch::gelu(value_and_gate[1]);
}

Tensor packed_linear_geglu(const Tensor& x, const std::vector<Tensor>& halves, const Tensor& bias) {
  return one_dnn_geglu(x, halves, bias).value();
}

}  // namespace sfumato
