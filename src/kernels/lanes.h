#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>

/// Vectors for loops that are compiled for several instruction sets (multiversion.h). All functions are inlined, and
/// take vectors by reference: passing them by value has no portable calling convention.
namespace sfumato::lanes {

/// Floats in a vector of the widest processors. All loops are over multiples of it.
constexpr std::int64_t kWidest = 16;

/// Degree of the polynomial for 2^x that suits the precision of T.
template <class T>
constexpr int kDegreeFor = sizeof(T) == sizeof(float) ? 6 : 3;

/// Types of vectors at any address: floats, their bits, halves of these, and half as many floats.
template <std::int64_t kWidth>
struct VectorTypes;

template <>
struct VectorTypes<16> {
  using Lane [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = float;
  using Bits [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]] = std::uint32_t;
  using Halves [[gnu::vector_size(32), gnu::aligned(2), gnu::may_alias]] = std::uint16_t;
  using HalfLane [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = float;
};

template <>
struct VectorTypes<8> {
  using Lane [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = float;
  using Bits [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = std::uint32_t;
  using Halves [[gnu::vector_size(16), gnu::aligned(2), gnu::may_alias]] = std::uint16_t;
  using HalfLane [[gnu::vector_size(16), gnu::aligned(4), gnu::may_alias]] = float;
};

template <>
struct VectorTypes<4> {
  using Lane [[gnu::vector_size(16), gnu::aligned(4), gnu::may_alias]] = float;
  using Bits [[gnu::vector_size(16), gnu::aligned(4), gnu::may_alias]] = std::uint32_t;
  using Halves [[gnu::vector_size(8), gnu::aligned(2), gnu::may_alias]] = std::uint16_t;
  using HalfLane [[gnu::vector_size(8), gnu::aligned(4), gnu::may_alias]] = float;
};

/// Vectors of kWidth floats.
template <std::int64_t kWidth>
struct Vectors {
  static constexpr std::int64_t kLane = kWidth;
  using Lane = typename VectorTypes<kWidth>::Lane;
  using Bits = typename VectorTypes<kWidth>::Bits;
  using Halves = typename VectorTypes<kWidth>::Halves;
  using HalfLane = typename VectorTypes<kWidth>::HalfLane;

  [[gnu::always_inline]] static const Lane& load(const float* from) { return *reinterpret_cast<const Lane*>(from); }

  [[gnu::always_inline]] static void load(const float* from, Lane& out) { out = load(from); }

  [[gnu::always_inline]] static void load(const c10::BFloat16* from, Lane& out) {
    const Bits bits = __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits) << 16;
    out = reinterpret_cast<const Lane&>(bits);
  }

  [[gnu::always_inline]] static void load(const c10::Half* from, Lane& out) {
    constexpr float kBias = 0x1p112F;  // of float32's exponents to those of float16
    const Bits half = __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Bits);
    const Bits magnitude = (half & 0x7FFF) << 13;
    const Lane value = reinterpret_cast<const Lane&>(magnitude) * kBias;
    const auto is_special = (half & 0x7C00) == 0x7C00;  // infinity or NaN
    const Bits special = reinterpret_cast<const Bits&>(is_special) & 0x7F800000;
    const Bits bits = reinterpret_cast<const Bits&>(value) | (half & 0x8000) << 16 | special;
    out = reinterpret_cast<const Lane&>(bits);
  }

  [[gnu::always_inline]] static void store(const Lane& value, float* to) { *reinterpret_cast<Lane*>(to) = value; }

  /// Rounds to the nearest bfloat16, ties to even.
  [[gnu::always_inline]] static void store(const Lane& value, c10::BFloat16* to) {
    const Bits bits = reinterpret_cast<const Bits&>(value);
    const Bits rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded, Halves);
  }

  /// Bits of bfloat16: those of `first`, rounded likewise, in the lower halves and those of `second` in the upper ones.
  [[gnu::always_inline]] static void pair(const Lane& first, const Lane& second, Bits& out) {
    const Bits low = reinterpret_cast<const Bits&>(first), high = reinterpret_cast<const Bits&>(second);
    out = ((low + 0x7FFF + ((low >> 16) & 1)) >> 16) | ((high + 0x7FFF + ((high >> 16) & 1)) & 0xFFFF0000U);
  }

  /// Interleaves the values of two vectors: a0, b0, a1, b1 and so on.
  [[gnu::always_inline]] static void interleave(const Bits& a, const Bits& b, Bits& low, Bits& high) {
    if constexpr (kWidth == 16) {
      low = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      high = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    } else if constexpr (kWidth == 8) {
      low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      high = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    } else {
      low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    }
  }

  /// The first and the last half of a vector of 16 or 8.
  [[gnu::always_inline]] static void split(const Lane& x, HalfLane& low, HalfLane& high) {
    if constexpr (kWidth == 16) {
      low = __builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7);
      high = __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15);
    } else {
      low = __builtin_shufflevector(x, x, 0, 1, 2, 3);
      high = __builtin_shufflevector(x, x, 4, 5, 6, 7);
    }
  }

  [[gnu::always_inline]] static void maximize(Lane& x, const Lane& other) { x = x > other ? x : other; }

  /// 2^x for x <= 126, by exp2_of_fraction and the exponent's bits. Below -125 it is 2^-125.
  template <int kDegree>
  [[gnu::always_inline]] static void exp2_below(const Lane& power, Lane& out) {
    constexpr float kRounder =
        12582912;  // 1.5 * 2^23: added to a float, it leaves the nearest integer in the last bits
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
  [[gnu::always_inline]] static void exp2_of(const Lane& power, Lane& out) {
    const Lane highest = Lane{} + 126;
    exp2_below<kDegree>(power < highest ? power : highest, out);
  }

  /// The divisor of the sigmoid, 1 / (1 + e^-x), with kDegree of exp2_of.
  template <int kDegree>
  [[gnu::always_inline]] static void sigmoid_divisor_of(const Lane& x, Lane& out) {
    constexpr float kLog2E = 1.4426950408889634F;
    exp2_of<kDegree>(x * -kLog2E, out);
    out = 1 + out;
  }

  /// SiLU, x / (1 + e^-x), with kDegree of exp2_of.
  template <int kDegree>
  [[gnu::always_inline]] static void silu_of(const Lane& x, Lane& out) {
    Lane divisor;
    sigmoid_divisor_of<kDegree>(x, divisor);
    out = x / divisor;
  }

 private:
  /// 2^f for |f| <= 1/2 by a polynomial of the least relative error: 1e-7 (rounding included) of degree 6 and 8e-5, a
  /// twentieth of a bfloat16's rounding, of degree 3.
  template <int kDegree>
  [[gnu::always_inline]] static void exp2_of_fraction(const Lane& f, Lane& out) {
    static_assert(kDegree == 3 || kDegree == 6);
    if constexpr (kDegree == 6) {
      out = ((f * 0.00015345812F + 0.00133999312F) * f + 0.00961848896F) * f + 0.0555032878F;
      out = ((out * f + 0.240226469F) * f + 0.693147206F) * f + 1;
    } else {
      out = ((f * 0.0551716691F + 0.242611122F) * f + 0.693260985F) * f + 0.999928074F;
    }
  }
};

}  // namespace sfumato::lanes
