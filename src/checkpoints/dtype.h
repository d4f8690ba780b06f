#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>

namespace sfumato {

/// Returns the torch dtype of a safetensors dtype name ("F32", "F8_E4M3", ...), or nothing for an unsupported name
/// (sub-byte and complex formats included).
std::optional<torch::Dtype> safetensors_dtype(const std::string& name);

/// Returns the safetensors name of a torch dtype. Throws std::invalid_argument for an unsupported dtype.
std::string safetensors_dtype_name(torch::Dtype dtype);

/// Rank of a dtype in the reference writer's order: greater is written first, so that tensors stay aligned.
int safetensors_dtype_rank(torch::Dtype dtype);

}  // namespace sfumato
