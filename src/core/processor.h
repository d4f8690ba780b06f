#pragma once

#include <string>

#include "core/placement.h"

/// Instructions of this processor. The environment variable ATEN_CPU_CAPABILITY (avx2 or default) limits them, as it
/// limits LibTorch.
namespace sfumato {

/// True if this processor has bfloat16 instructions (AVX512-BF16, which those with AMX have too). Without them LibTorch
/// takes three times as long in bfloat16 as in float32.
bool has_fast_bfloat16();

/// True if this processor multiplies whole tiles of bfloat16 (AMX), 4 to 8 times as fast as vectors of float32, and the
/// operating system permits it.
bool has_amx();

/// True if this processor has vectors of 512 bits (AVX512F, BW, DQ, VL).
bool has_avx512();

/// True if this processor has vectors of 256 bits and fused multiplications (AVX2, FMA), which LibTorch's small matrix
/// products need.
bool has_avx2();

/// Returns one line for the user if a placement on the CPU uses a dtype that the processor has no instructions for
/// (float16, and bfloat16 on some), else "". Only tests set `fast_bfloat16`.
std::string slow_dtype_note(const Placement& placement, bool fast_bfloat16 = has_fast_bfloat16());

}  // namespace sfumato
