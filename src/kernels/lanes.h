#pragma once

#include <c10/util/BFloat16.h>

#include <cstdint>

#include "kernels/multiversion.h"

/// Vectors for loops that are compiled for several instruction sets (multiversion.h). All functions are inlined, and
/// take vectors by reference: passing them by value has no portable calling convention.
namespace sfumato::lanes {

/// Floats in a vector of the widest processors.
constexpr std::int64_t kLane = 16;

/// kLane values at any address.
using Lane [[gnu::vector_size(kLane * sizeof(float)), gnu::aligned(alignof(float)), gnu::may_alias]] = float;
using Bits [[gnu::vector_size(kLane * sizeof(std::uint32_t)), gnu::aligned(alignof(float)), gnu::may_alias]] =
    std::uint32_t;
using Halves [[gnu::vector_size(kLane * sizeof(std::uint16_t)), gnu::aligned(alignof(std::uint16_t)), gnu::may_alias]] =
    std::uint16_t;

[[gnu::always_inline]] inline const Lane& load(const float* from) {
  return *reinterpret_cast<const Lane*>(from);
}

[[gnu::always_inline]] inline void load(const float* from, Lane& out) {
  out = load(from);
}

[[gnu::always_inline]] inline void load(const c10::BFloat16* from, Lane& out) {
  const Bits bits = __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16;
  out = reinterpret_cast<const Lane&>(bits);
}

[[gnu::always_inline]] inline void store(const Lane& value, float* to) {
  *reinterpret_cast<Lane*>(to) = value;
}

// The same for one value, where a loop ends in less than a vector.

[[gnu::always_inline]] inline void load(const float* from, float& out) {
  out = *from;
}

[[gnu::always_inline]] inline void store(const float& value, float* to) {
  *to = value;
}

/// Rounds to the nearest bfloat16, ties to even.
[[gnu::always_inline]] inline void store(const Lane& value, c10::BFloat16* to) {
  const Bits bits = reinterpret_cast<const Bits&>(value);
  const Bits rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded, Halves);
}

/// 2^x by a Taylor polynomial of 2^f with |f| <= 1/2 and the exponent's bits. Its relative error is 1e-7 with 6 terms
/// and 4e-5, a hundredth of a bfloat16's last bit, with 4. x is clamped to [-125, 126].
template <int kTerms>
[[gnu::always_inline]] inline void exp2_of(const Lane& power, Lane& out) {
  constexpr float kLn2 = 0.6931471805599453F;
  constexpr float kRounder = 12582912;  // 1.5 * 2^23: added to a float, it leaves the nearest integer in the last bits
  constexpr float kLowest = -125, kHighest = 126;
  const Lane above = power > kLowest ? power : Lane{} + kLowest;
  const Lane x = above < kHighest ? above : Lane{} + kHighest;
  const Lane rounded = x + kRounder;
  const Lane f = (x - (rounded - kRounder)) * kLn2;
  Lane sum = Lane{} + 1 / 24.0F;
  if constexpr (kTerms == 6) sum = (f * (1 / 720.0F) + 1 / 120.0F) * f + 1 / 24.0F;
  sum = sum * f + 1 / 6.0F;
  sum = sum * f + 0.5F;
  sum = sum * f + 1;
  sum = sum * f + 1;
  const Bits bits = reinterpret_cast<const Bits&>(sum) + (reinterpret_cast<const Bits&>(rounded) << 23);
  out = reinterpret_cast<const Lane&>(bits);
}

/// The divisor of the sigmoid, 1 / (1 + e^-x), with kTerms of exp2_of.
template <int kTerms>
[[gnu::always_inline]] inline void sigmoid_divisor_of(const Lane& x, Lane& out) {
  constexpr float kLog2E = 1.4426950408889634F;
  exp2_of<kTerms>(x * -kLog2E, out);
  out = 1 + out;
}

/// SiLU, x / (1 + e^-x), with kTerms of exp2_of.
template <int kTerms>
[[gnu::always_inline]] inline void silu_of(const Lane& x, Lane& out) {
  Lane divisor;
  sigmoid_divisor_of<kTerms>(x, divisor);
  out = x / divisor;
}

/// Terms of exp2_of that suit the precision of T.
template <class T>
constexpr int kTermsFor = sizeof(T) == sizeof(float) ? 6 : 4;

}  // namespace sfumato::lanes
