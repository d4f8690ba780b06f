#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// An elementwise nonlinearity.
using Activation = torch::Tensor (*)(const torch::Tensor&);

/// Returns the nonlinearity of diffusers' name (get_activation): silu or swish, mish, gelu, relu.
/// Throws std::invalid_argument for another name.
Activation activation(const std::string& name);

}  // namespace sfumato
