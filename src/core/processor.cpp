#include "core/processor.h"

namespace sfumato {

bool has_fast_bfloat16() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

std::string slow_dtype_note(const Placement& placement, bool fast_bfloat16) {
  if (!placement.device.is_cpu() || placement.dtype != torch::kBFloat16 || fast_bfloat16) return "";
  return "bfloat16 on the CPU: this processor has no instructions for it (AVX512-BF16), so that it takes about three "
         "times as long as float32";
}

}  // namespace sfumato
