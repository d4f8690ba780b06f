#include "training/autocast.h"

namespace sfumato {

bool computes_in_bfloat16(const std::string& precision, torch::DeviceType device) {
  if (precision != "auto") return precision == "bf16";
  if (device != torch::kCPU) return true;
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace sfumato
