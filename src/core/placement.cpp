#include "core/placement.h"

#include <stdexcept>

#include "core/cuda.h"

namespace sfumato {

torch::Device parse_device(const std::string& name) {
  const auto expected = "device '" + name + "': expected auto, cpu, cuda or cuda:N";
  if (name == "auto") return cuda_is_available() ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  if (name == "cpu") return torch::kCPU;
  if (name != "cuda" && !(name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 9 &&
                          name.find_first_not_of("0123456789", 5) == std::string::npos))
    throw std::invalid_argument(expected);
  const int index = name == "cuda" ? 0 : std::stoi(name.substr(5));
  const int count = cuda_is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
  if (index >= count)
    throw std::invalid_argument("device '" + name + "': this machine has " + std::to_string(count) + " CUDA devices");
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

torch::Dtype parse_dtype(const std::string& name) {
  if (name == "float32" || name == "fp32" || name == "f32") return torch::kFloat32;
  if (name == "float16" || name == "fp16" || name == "f16") return torch::kFloat16;
  if (name == "bfloat16" || name == "bf16") return torch::kBFloat16;
  throw std::invalid_argument("dtype '" + name + "': expected float32 (fp32), float16 (fp16) or bfloat16 (bf16)");
}

std::string dtype_name(torch::Dtype dtype) {
  if (dtype == torch::kFloat32) return "float32";
  if (dtype == torch::kFloat16) return "float16";
  TORCH_CHECK(dtype == torch::kBFloat16, "no name for dtype ", dtype);
  return "bfloat16";
}

Placement parse_placement(const std::string& device, const std::string& dtype) {
  Placement placement;
  placement.device = parse_device(device);
  placement.dtype = dtype != "auto"              ? parse_dtype(dtype)
                    : placement.device.is_cuda() ? torch::kBFloat16
                                                 : torch::kFloat32;
  return placement;
}

}  // namespace sfumato
