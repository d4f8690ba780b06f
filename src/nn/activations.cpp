#include "nn/activations.h"

#include <stdexcept>

namespace sfumato {

bool is_silu(const std::string& name) {
  return name == "silu" || name == "swish";
}

Activation activation(const std::string& name) {
  if (is_silu(name)) return [](const torch::Tensor& x) { return torch::silu(x); };
  if (name == "gelu") return [](const torch::Tensor& x) { return torch::gelu(x); };
  if (name == "relu") return [](const torch::Tensor& x) { return torch::relu(x); };
  if (name == "mish") return [](const torch::Tensor& x) { return torch::mish(x); };
  throw std::invalid_argument("act_fn '" + name + "': expected silu, swish, gelu, relu or mish");
}

}  // namespace sfumato
