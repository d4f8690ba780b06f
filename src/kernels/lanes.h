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

/// 2^f for |f| <= 1/2 by a polynomial of the least relative error: 1e-7 (rounding included) of degree 6 and 8e-5, a
/// twentieth of a bfloat16's rounding, of degree 3.
template <int kDegree>
[[gnu::always_inline]] inline void exp2_of_fraction(const Lane& f, Lane& out) {
  static_assert(kDegree == 3 || kDegree == 6);
  if constexpr (kDegree == 6) {
    out = ((f * 0.00015345812F + 0.00133999312F) * f + 0.00961848896F) * f + 0.0555032878F;
    out = ((out * f + 0.240226469F) * f + 0.693147206F) * f + 1;
  } else {
    out = ((f * 0.0551716691F + 0.242611122F) * f + 0.693260985F) * f + 0.999928074F;
  }
}

/// 2^x for x <= 126, by exp2_of_fraction and the exponent's bits. Below -125 it is 2^-125.
template <int kDegree>
[[gnu::always_inline]] inline void exp2_below(const Lane& power, Lane& out) {
  constexpr float kRounder = 12582912;  // 1.5 * 2^23: added to a float, it leaves the nearest integer in the last bits
  const Lane lowest = Lane{} - 125;
  const Lane x = lowest > power ? lowest : power;
  const Lane rounded = x + kRounder;
  Lane fraction;
  exp2_of_fraction<kDegree>(x - (rounded - kRounder), fraction);
  const Bits bits = reinterpret_cast<const Bits&>(fraction) + (reinterpret_cast<const Bits&>(rounded) << 23);
  out = reinterpret_cast<const Lane&>(bits);
}

/// The same, and 2^126 above 126.
template <int kDegree>
[[gnu::always_inline]] inline void exp2_of(const Lane& power, Lane& out) {
  const Lane highest = Lane{} + 126;
  exp2_below<kDegree>(power < highest ? power : highest, out);
}

/// The divisor of the sigmoid, 1 / (1 + e^-x), with kDegree of exp2_of.
template <int kDegree>
[[gnu::always_inline]] inline void sigmoid_divisor_of(const Lane& x, Lane& out) {
  constexpr float kLog2E = 1.4426950408889634F;
  exp2_of<kDegree>(x * -kLog2E, out);
  out = 1 + out;
}

/// SiLU, x / (1 + e^-x), with kDegree of exp2_of.
template <int kDegree>
[[gnu::always_inline]] inline void silu_of(const Lane& x, Lane& out) {
  Lane divisor;
  sigmoid_divisor_of<kDegree>(x, divisor);
  out = x / divisor;
}

/// Degree of exp2_of that suits the precision of T.
template <class T>
constexpr int kDegreeFor = sizeof(T) == sizeof(float) ? 6 : 3;

}  // namespace sfumato::lanes
