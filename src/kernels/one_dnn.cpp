#include "kernels/one_dnn.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>

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

}  // namespace

std::optional<Tensor> one_dnn_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const char* act) {
  static const auto op = find_one_dnn<Unary>("");
  if (!op) return std::nullopt;
  return op->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, act,
                  c10::List<std::optional<at::Scalar>>(), "none");
}

std::optional<Tensor> one_dnn_linear_times(const Tensor& x, const Tensor& other, const Tensor& weight,
                                           const Tensor& bias) {
  static const auto op = find_one_dnn<Binary>("binary");
  if (!op) return std::nullopt;
  return op->call(x, other, weight, bias.defined() ? std::optional(bias) : std::nullopt, "mul");
}

}  // namespace sfumato
