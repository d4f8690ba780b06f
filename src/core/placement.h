#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// Where a model computes and in which number format.
struct Placement {
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat32;
};

/// "auto" (CUDA where there is one, else the CPU), "cpu", "cuda" or "cuda:N".
/// Throws std::invalid_argument for another name and where that device is not present.
torch::Device parse_device(const std::string& name);

/// "float32", "float16" or "bfloat16", and the short forms fp32 (f32), fp16 (f16), bf16. Throws std::invalid_argument.
torch::Dtype parse_dtype(const std::string& name);

/// The long name of a dtype that parse_dtype knows.
std::string dtype_name(torch::Dtype dtype);

/// The device and dtype a program runs with: `dtype` "auto" is bfloat16 on CUDA and float32 on the CPU.
/// Throws std::invalid_argument.
Placement parse_placement(const std::string& device, const std::string& dtype);

/// True where convolutions are fastest with weights and images in channels-last: on CUDA, and in bfloat16 on a CPU. (In
/// float32 on a CPU the networks see to it themselves, see kernels/plain_inference.h.)
bool prefers_channels_last(const Placement& placement);

}  // namespace sfumato
