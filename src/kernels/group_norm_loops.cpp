#include "kernels/group_norm_loops.h"

#include <algorithm>

#include "kernels/lanes.h"

namespace sfumato::group_norm {
namespace {

using lanes::kLane;
using lanes::Lane;

// Pixels whose moments are added in registers.
constexpr std::int64_t kPixelsAtOnce = 8;

template <class T>
[[gnu::always_inline]] inline void add_moments_of(const T* x, std::int64_t pixels, std::int64_t channels,
                                                  const float* origin, float* sums, float* squares) {
  for (std::int64_t first = 0; first < pixels; first += kPixelsAtOnce) {
    const auto count = std::min(kPixelsAtOnce, pixels - first);
    for (std::int64_t c = 0; c < channels; c += kLane) {
      Lane sum = lanes::load(sums + c), square = lanes::load(squares + c);
      const Lane zero = lanes::load(origin + c);
      for (std::int64_t i = 0; i < count; ++i) {
        Lane value;
        lanes::load(x + (first + i) * channels + c, value);
        value -= zero;
        sum += value;
        square += value * value;
      }
      lanes::store(sum, sums + c);
      lanes::store(square, squares + c);
    }
  }
}

template <bool kSilu, class T>
[[gnu::always_inline]] inline void apply_to(const T* x, std::int64_t pixels, std::int64_t channels,
                                            const Affine& affine, T* y) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel)
    for (std::int64_t c = 0; c < channels; c += kLane) {
      Lane value;
      lanes::load(x + pixel * channels + c, value);
      value = value * lanes::load(affine.factor + c) + lanes::load(affine.shift + c);
      if constexpr (kSilu) lanes::silu_of<lanes::kDegreeFor<T>>(value, value);
      lanes::store(value, y + pixel * channels + c);
    }
}

template <class T>
[[gnu::always_inline]] inline void apply_either(const T* x, std::int64_t pixels, std::int64_t channels,
                                                const Affine& affine, T* y) {
  affine.silu ? apply_to<true>(x, pixels, channels, affine, y) : apply_to<false>(x, pixels, channels, affine, y);
}

}  // namespace

SFUMATO_MULTIVERSION void add_moments(const float* x, std::int64_t pixels, std::int64_t channels, const float* origin,
                                      float* sums, float* squares) {
  add_moments_of(x, pixels, channels, origin, sums, squares);
}

SFUMATO_MULTIVERSION void add_moments(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels,
                                      const float* origin, float* sums, float* squares) {
  add_moments_of(x, pixels, channels, origin, sums, squares);
}

SFUMATO_MULTIVERSION void apply(const float* x, std::int64_t pixels, std::int64_t channels, const Affine& affine,
                                float* y) {
  apply_either(x, pixels, channels, affine, y);
}

SFUMATO_MULTIVERSION void apply(const c10::BFloat16* x, std::int64_t pixels, std::int64_t channels,
                                const Affine& affine, c10::BFloat16* y) {
  apply_either(x, pixels, channels, affine, y);
}

}  // namespace sfumato::group_norm
