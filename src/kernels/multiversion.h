#pragma once

/// Before a function with a loop over vectors: compiled for each of these instruction sets, and the best that the
/// processor has is taken when the program starts. Its callees must be inlined to share in that.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SFUMATO_MULTIVERSION [[gnu::target_clones("avx512f", "avx2", "default")]]
#else
#define SFUMATO_MULTIVERSION
#endif
