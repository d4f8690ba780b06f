#pragma once

#include <cstddef>

namespace sfumato {

/// Makes LibTorch allocate large CPU tensors (512 KiB and more) from a pool that keeps freed memory. The C library
/// returns blocks of that size to the system at once, and each layer of a network then faults its activations in again:
/// a fifth of a UNet's step. A stretch of more than `keep` free bytes, such as the weights of a destroyed network, is
/// returned to the system. For programs, at their start: users of the library keep their own allocator.
/// Only the first call has an effect.
void pool_cpu_memory(std::size_t keep = std::size_t{1} << 30);

/// Returns the pool's free memory to the system, where much has been freed that will not be allocated again. Has no
/// effect without pool_cpu_memory.
void shrink_cpu_pool();

/// Makes the C library keep freed blocks of up to 32 MiB, at most 256 MiB at the end of a heap. A training step
/// allocates thousands of small tensors and scratch blocks, and would fault the same pages in each time: a twentieth of
/// a step. For programs, at their start. Only the GNU C library has these settings.
void keep_small_blocks();

}  // namespace sfumato
