#include "kernels/linear.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string_view>

#include "kernels/cuda_inference.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

using Tensor = torch::Tensor;
using Unary = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view,
                     c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
using Binary = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view);

/// LibTorch's linear layer by oneDNN, for which it has no C++ header; nothing if it was built without oneDNN.
template <class Signature>
std::optional<c10::TypedOperatorHandle<Signature>> find_one_dnn(const char* overload) {
  const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", overload});
  if (!found || !found->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
  return found->typed<Signature>();
}

/// act(x W^T + b), act "none" or "gelu".
std::optional<Tensor> fused(const Tensor& x, const Tensor& weight, const Tensor& bias, const char* act) {
  static const auto op = find_one_dnn<Unary>("");
  if (!op) return std::nullopt;
  return op->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, act,
                  c10::List<std::optional<at::Scalar>>(), "none");
}

/// other * (x W^T + b).
std::optional<Tensor> fused_times(const Tensor& x, const Tensor& other, const Tensor& weight, const Tensor& bias) {
  static const auto op = find_one_dnn<Binary>("binary");
  if (!op) return std::nullopt;
  return op->call(x, other, weight, bias.defined() ? std::optional(bias) : std::nullopt, "mul");
}

/// True if oneDNN is faster. For a few rows the cost is reading the weights, which oneDNN rearranges first.
bool pays(const Tensor& x, const Tensor& weight) {
  constexpr std::int64_t kWorthwhileRows = 64;
  return is_cpu_inference(x) && weight.scalar_type() == x.scalar_type() && weight.is_contiguous() &&
         x.numel() >= kWorthwhileRows * weight.size(1);
}

}  // namespace

Tensor linear_layer(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (pays(x, weight))
    if (auto y = fused(x.contiguous(), weight, bias, "none")) return *y;
  return torch::linear(x, weight, bias);
}

Tensor linear_geglu(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (pays(x, weight)) {
    const auto weights = weight.chunk(2);
    const auto biases = bias.defined() ? bias.chunk(2) : std::vector<Tensor>(2);
    const auto input = x.contiguous();
    if (const auto gate = fused(input, weights[1], biases[1], "gelu"))
      if (auto y = fused_times(input, *gate, weights[0], biases[0])) return *y;
  }
  // The kernel adds the bias, which LibTorch's product would copy into its result first for some shapes.
  if (has_cuda_geglu(x))
    if (auto y = cuda_geglu(torch::linear(x, weight), bias)) return *y;
  const auto value_and_gate = torch::linear(x, weight, bias).chunk(2, -1);
  return value_and_gate[0] * torch::gelu(value_and_gate[1]);
}

}  // namespace sfumato
