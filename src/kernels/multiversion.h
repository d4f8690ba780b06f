#pragma once

#include "core/processor.h"
#include "kernels/lanes.h"

// For a lambda that with_widest_vectors takes: between its parameters and its body.
#define SFUMATO_INLINE __attribute__((always_inline))

namespace sfumato {
namespace versions {

#ifdef __x86_64__
template <class Body>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma")]] void with_avx512(const Body& body) {
  body(lanes::Vectors<16>());
}

template <class Body>
[[gnu::target("avx2,fma")]] void with_avx2(const Body& body) {
  body(lanes::Vectors<8>());
}
#endif

}  // namespace versions

/// Calls body(lanes::Vectors<kWidth>()), compiled for AVX-512, AVX2 or the instructions that every processor has: the
/// best of them that this processor has. The body, and what it calls, must be inlined (SFUMATO_INLINE).
template <class Body>
void with_widest_vectors(const Body& body) {
#ifdef __x86_64__
  if (has_avx512()) return versions::with_avx512(body);
  if (has_avx2()) return versions::with_avx2(body);
#endif
  body(lanes::Vectors<4>());
}

}  // namespace sfumato
