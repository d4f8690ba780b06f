#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// An elementwise nonlinearity.
using Activation = torch::Tensor (*)(const torch::Tensor&);

/// True for the names of SiLU, which kernels compute together with a norm.
bool is_silu(const std::string& name);

/// Returns the nonlinearity of diffusers' name (get_activation): silu or swish, mish, gelu, relu.
/// Throws std::invalid_argument for another name.
Activation activation(const std::string& name);

}  // namespace sfumato
