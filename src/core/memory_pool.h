#pragma once

#include <cstddef>

namespace sfumato {

/// Has LibTorch take the large tensors of the CPU (1 MiB and more) from a pool that keeps what is freed. The C library
/// returns blocks of that size to the system at once, and each layer of a network then faults its activations in anew:
/// a fifth of a UNet's step. A stretch of more than `keep` free bytes, as the weights of a network that is done leave
/// it, is given back to the system. For programs, at their start: a library's user keeps the allocator that he has.
/// Only the first call counts.
void pool_cpu_memory(std::size_t keep = std::size_t{1} << 30);

}  // namespace sfumato
