#include "core/processor.h"

#include <ATen/Version.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

namespace sfumato {
namespace {

#ifdef __x86_64__
/// True if the operating system saves the registers of AMX (bits 17 and 18 of XCR0).
bool saves_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kXgetbv = 1U << 27, kTiles = 3U << 17;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kXgetbv) == 0) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTiles) == kTiles;
}

/// True if the processor has AMX-BF16 (leaf 7, EDX, bit 22), for which g++ 12 has no name.
bool multiplies_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 22 & 1) != 0;
}
#endif

}  // namespace

bool has_fast_bfloat16() {
#ifdef __x86_64__
  return has_avx512() && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

bool has_amx() {
#ifdef __x86_64__
  // Each convolution in bfloat16 calls this, and cpuid is slow in a virtual machine.
  static const bool amx = has_avx512() && multiplies_tiles() && saves_tiles();
  return amx;
#else
  return false;
#endif
}

bool has_avx512() {
  static const bool avx512 = at::get_cpu_capability() == "AVX512";
  return avx512;
}

bool has_avx2() {
  static const bool avx2 = has_avx512() || at::get_cpu_capability() == "AVX2";
  return avx2;
}

std::string slow_dtype_note(const Placement& placement, bool fast_bfloat16) {
  const auto dtype = placement.dtype;
  if (!placement.device.is_cpu() || dtype == torch::kFloat32 || (dtype == torch::kBFloat16 && fast_bfloat16)) return "";
  return dtype_name(dtype) + " on this CPU: products are computed in float32, which saves memory but no time";
}

}  // namespace sfumato
