#include "kernels/group_norm_loops.h"

#include <algorithm>

#include "kernels/multiversion.h"

namespace sfumato::group_norm {
namespace {

// Pixels whose moments are added in registers.
constexpr std::int64_t kPixelsAtOnce = 8;

template <class V, class T>
[[gnu::always_inline]] inline void add_moments_of(const T* x, std::int64_t pixels, std::int64_t channels,
                                                  const float* origin, float* sums, float* squares) {
  for (std::int64_t first = 0; first < pixels; first += kPixelsAtOnce) {
    const auto count = std::min(kPixelsAtOnce, pixels - first);
    for (std::int64_t c = 0; c < channels; c += V::kLane) {
      typename V::Lane sum = V::load(sums + c), square = V::load(squares + c);
      const typename V::Lane zero = V::load(origin + c);
      for (std::int64_t i = 0; i < count; ++i) {
        typename V::Lane value;
        V::load(x + (first + i) * channels + c, value);
        value -= zero;
        sum += value;
        square += value * value;
      }
      V::store(sum, sums + c);
      V::store(square, squares + c);
    }
  }
}

template <class V, bool kSilu, class T>
[[gnu::always_inline]] inline void apply_to(const T* x, std::int64_t pixels, std::int64_t channels,
                                            const Affine& affine, T* y) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t c = 0; c < channels; c += V::kLane) {
      typename V::Lane value;
      V::load(x + pixel * channels + c, value);
      value = value * V::load(affine.factor + c) + V::load(affine.shift + c);
      if constexpr (kSilu) V::template silu_of<lanes::kDegreeFor<T>>(value, value);
      V::store(value, y + pixel * channels + c);
    }
}

template <class V, class T>
[[gnu::always_inline]] inline void apply_either(const T* x, std::int64_t pixels, std::int64_t channels,
                                                const Affine& affine, T* y) {
  affine.silu ? apply_to<V, true>(x, pixels, channels, affine, y) : apply_to<V, false>(x, pixels, channels, affine, y);
}

}  // namespace

void add_moments(const float* x, std::int64_t pixels, std::int64_t channels, const float* origin, float* sums,
                 float* squares) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { add_moments_of<decltype(v)>(x, pixels, channels, origin, sums, squares); });
}

void add_moments(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels, const float* origin, float* sums,
                 float* squares) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { add_moments_of<decltype(v)>(x, pixels, channels, origin, sums, squares); });
}

void apply(const float* x, std::int64_t pixels, std::int64_t channels, const Affine& affine, float* y) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { apply_either<decltype(v)>(x, pixels, channels, affine, y); });
}

void apply(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels, const Affine& affine, c10::BFloat16* y) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { apply_either<decltype(v)>(x, pixels, channels, affine, y); });
}

}  // namespace sfumato::group_norm
