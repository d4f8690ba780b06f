#include "kernels/linear_training.h"

#include <optional>

#include "kernels/one_dnn.h"

namespace sfumato {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// x W^T + b; by LibTorch where a gradient of the result may be needed.
torch::Tensor product(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias = {}) {
  if (!torch::GradMode::is_enabled())
    if (auto y = one_dnn_linear(x, weight, bias)) return *y;
  return torch::linear(x, weight, bias);
}

class TrainableLinear : public torch::autograd::Function<TrainableLinear> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const std::optional<torch::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    return product(x, weight, bias.value_or(torch::Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto dy = outputs[0].contiguous().flatten(0, -2);  // [rows, out]
    variable_list gradients(3);
    if (context->needs_input_grad(0)) gradients[0] = product(dy, weight.t()).view_as(x);
    if (context->needs_input_grad(1)) gradients[1] = product_over_rows(dy, x.flatten(0, -2));
    if (context->saved_data["bias"].toBool()) gradients[2] = dy.sum(0);
    return gradients;
  }
};

}  // namespace

torch::Tensor trainable_linear(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  return TrainableLinear::apply(x.contiguous(), weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

torch::Tensor product_over_rows(const torch::Tensor& a, const torch::Tensor& b) {
  return product(a.t(), b.t());
}

}  // namespace sfumato
