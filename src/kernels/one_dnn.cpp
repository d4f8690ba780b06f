#include "kernels/one_dnn.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <array>
#include <string_view>

namespace sfumato {
namespace {

using Tensor = torch::Tensor;
using Unary = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view,
                     c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
using Binary = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view);

using PackLinear = Tensor(const Tensor&, std::optional<std::int64_t>);
using PackConvolution = Tensor(const Tensor&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, std::int64_t,
                               at::OptionalArrayRef<std::int64_t>);
using Convolution = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, at::IntArrayRef, at::IntArrayRef,
                           at::IntArrayRef, std::int64_t, std::string_view, c10::List<std::optional<at::Scalar>>,
                           std::optional<std::string_view>);

/// An operator of LibTorch by oneDNN, for which it has no C++ header; nothing if it was built without oneDNN.
template <class Signature>
std::optional<c10::TypedOperatorHandle<Signature>> find_one_dnn(const char* name, const char* overload = "") {
  const auto found = c10::Dispatcher::singleton().findSchema({name, overload});
  if (!found || !found->hasKernelForDispatchKey(c10::DispatchKey::CPU)) return std::nullopt;
  return found->typed<Signature>();
}

std::array<std::int64_t, 2> both(std::int64_t value) {
  return {value, value};
}

}  // namespace

std::optional<Tensor> one_dnn_linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const char* act) {
  static const auto op = find_one_dnn<Unary>("mkldnn::_linear_pointwise");
  if (!op) return std::nullopt;
  return op->call(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, act,
                  c10::List<std::optional<at::Scalar>>(), "none");
}

std::optional<Tensor> one_dnn_linear_with(const Tensor& x, const Tensor& other, const Tensor& weight,
                                          const Tensor& bias, const char* operation) {
  static const auto op = find_one_dnn<Binary>("mkldnn::_linear_pointwise", "binary");
  if (!op) return std::nullopt;
  return op->call(x, other, weight, bias.defined() ? std::optional(bias) : std::nullopt, operation);
}

std::optional<Tensor> pack_linear(const Tensor& weight) {
  static const auto op = find_one_dnn<PackLinear>("mkldnn::_reorder_linear_weight");
  if (!op) return std::nullopt;
  return op->call(weight.contiguous(), std::nullopt);
}

std::optional<Tensor> pack_convolution(const Tensor& weight, const OneDnnConvolution& convolution) {
  static const auto op = find_one_dnn<PackConvolution>("mkldnn::_reorder_convolution_weight");
  if (!op) return std::nullopt;
  const auto stride = both(convolution.stride), padding = both(convolution.padding);
  return op->call(weight, padding, stride, both(1), /*groups=*/1, std::nullopt);
}

Tensor one_dnn_convolution(const Tensor& x, const Tensor& packed, const Tensor& bias,
                           const OneDnnConvolution& convolution) {
  static const auto op = find_one_dnn<Convolution>("mkldnn::_convolution_pointwise");
  const auto stride = both(convolution.stride), padding = both(convolution.padding);
  return op.value().call(x, packed, bias.defined() ? std::optional(bias) : std::nullopt, padding, stride, both(1),
                         /*groups=*/1, "none", c10::List<std::optional<at::Scalar>>(), "none");
}

}  // namespace sfumato
