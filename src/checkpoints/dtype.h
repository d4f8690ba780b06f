#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>

namespace sfumato {

/// The torch dtype of a safetensors dtype name ("F32", "F8_E4M3", ...), or nothing for a name that is not supported
/// (sub-byte and complex formats included).
std::optional<torch::Dtype> safetensors_dtype(const std::string& name);

/// The safetensors name of a torch dtype. Throws std::invalid_argument for a dtype that is not supported.
std::string safetensors_dtype_name(torch::Dtype dtype);

/// Where a dtype stands in the reference writer's order: greater is written first, so that tensors stay aligned.
int safetensors_dtype_rank(torch::Dtype dtype);

}  // namespace sfumato
