#include "checkpoints/dtype.h"

#include <array>
#include <stdexcept>

namespace sfumato {
namespace {

struct NamedDtype {
  const char* name;
  torch::Dtype dtype;
};

// In the order of the reference's `enum Dtype` (safetensors/src/tensor.rs), the sort key of its writer.
constexpr std::array<NamedDtype, 16> kDtypes{{
    {"BOOL", torch::kBool},
    {"U8", torch::kUInt8},
    {"I8", torch::kInt8},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
    {"I16", torch::kInt16},
    {"U16", at::kUInt16},
    {"F16", torch::kFloat16},
    {"BF16", torch::kBFloat16},
    {"I32", torch::kInt32},
    {"U32", at::kUInt32},
    {"F32", torch::kFloat32},
    {"F64", torch::kFloat64},
    {"I64", torch::kInt64},
    {"U64", at::kUInt64},
}};

}  // namespace

std::optional<torch::Dtype> safetensors_dtype(const std::string& name) {
  for (const auto& known : kDtypes)
    if (name == known.name) return known.dtype;
  return std::nullopt;
}

int safetensors_dtype_rank(torch::Dtype dtype) {
  for (std::size_t i = 0; i < kDtypes.size(); ++i)
    if (dtype == kDtypes[i].dtype) return static_cast<int>(i);
  throw std::invalid_argument(std::string("safetensors has no dtype for ") + c10::toString(dtype));
}

std::string safetensors_dtype_name(torch::Dtype dtype) {
  return kDtypes[static_cast<std::size_t>(safetensors_dtype_rank(dtype))].name;
}

}  // namespace sfumato
