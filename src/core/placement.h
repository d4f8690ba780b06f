#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// Device and number format in which a model computes.
struct Placement {
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat32;
  /// True if networks that compute only before or after the loop over the steps (text encoders, VAE) rest in host
  /// memory meanwhile (core/offload.h).
  bool offload = false;

  /// Returns the placement of such a network's weights at rest.
  Placement at_rest() const { return {offload ? torch::Device(torch::kCPU) : device, dtype}; }
};

/// Parses "auto" (CUDA if there is one, else the CPU), "cpu", "cuda" or "cuda:N".
/// Throws std::invalid_argument for another name and for a device that is not present.
torch::Device parse_device(const std::string& name);

/// Parses float32, float16 or bfloat16, or the short forms fp32 (f32), fp16 (f16), bf16. Throws std::invalid_argument.
torch::Dtype parse_dtype(const std::string& name);

/// Returns the long name of a dtype that parse_dtype accepts.
std::string dtype_name(torch::Dtype dtype);

/// Parses the device and dtype of a program: `dtype` "auto" is bfloat16 on CUDA and float32 on the CPU.
/// Throws std::invalid_argument.
Placement parse_placement(const std::string& device, const std::string& dtype);

}  // namespace sfumato
