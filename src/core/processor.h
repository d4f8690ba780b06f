#pragma once

#include <string>

#include "core/placement.h"

namespace sfumato {

/// Whether this processor has instructions for bfloat16 (AVX512-BF16, which those with AMX have too). Without, LibTorch
/// takes three times as long in it as in float32.
bool has_fast_bfloat16();

/// One line for the user where a placement on the CPU asks for bfloat16 and the processor has no instructions for it;
/// else "". `fast_bfloat16` is the processor's answer.
std::string slow_dtype_note(const Placement& placement, bool fast_bfloat16 = has_fast_bfloat16());

}  // namespace sfumato
