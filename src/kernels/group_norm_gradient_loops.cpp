#include <algorithm>

#include "kernels/group_norm_loops.h"
#include "kernels/multiversion.h"

namespace sfumato::group_norm {
namespace {

// Pixels whose moments are added in registers.
constexpr std::int64_t kGradientPixelsAtOnce = 8;

/// Replaces the gradient of SiLU(z), z = factor x + shift, by that of z.
template <class V, bool kSilu, class T>
[[gnu::always_inline]] inline void pass_activation(const typename V::Lane& x, const typename V::Lane& factor,
                                                   const typename V::Lane& shift, typename V::Lane& gradient) {
  if constexpr (kSilu) {
    const typename V::Lane z = x * factor + shift;
    typename V::Lane divisor;
    V::template sigmoid_divisor_of<lanes::kDegreeFor<T>>(z, divisor);
    const typename V::Lane sigmoid = 1 / divisor;
    gradient = gradient * sigmoid * (1 + z * (1 - sigmoid));
  }
}

template <class V, bool kSilu, class T>
[[gnu::always_inline]] inline void sum_gradients_of(const Gradients<T>& g, const Affine& affine, const float* centre,
                                                    float* sums, float* products) {
  for (std::int64_t first = 0; first < g.pixels; first += kGradientPixelsAtOnce) {
    const auto end = std::min(first + kGradientPixelsAtOnce, g.pixels);
    for (std::int64_t c = 0; c < g.channels; c += V::kLane) {
      typename V::Lane sum = V::load(sums + c), product = V::load(products + c);
      const typename V::Lane factor = V::load(affine.factor + c), shift = V::load(affine.shift + c);
      const typename V::Lane zero = V::load(centre + c);
      for (auto pixel = first; pixel < end; ++pixel) {
        typename V::Lane x, gradient;
        V::load(g.x + pixel * g.channels + c, x);
        V::load(g.outputs + pixel * g.channels + c, gradient);
        pass_activation<V, kSilu, T>(x, factor, shift, gradient);
        sum += gradient;
        product += gradient * (x - zero);
      }
      V::store(sum, sums + c);
      V::store(product, products + c);
    }
  }
}

template <class V, bool kSilu, class T>
[[gnu::always_inline]] inline void map_gradients_of(const Gradients<T>& g, const GradientMap& map, T* dx) {
  for (std::int64_t pixel = 0; pixel < g.pixels; ++pixel)
    for (std::int64_t c = 0; c < g.channels; c += V::kLane) {
      const auto at = pixel * g.channels + c;
      const typename V::Lane factor = V::load(map.affine.factor + c);
      typename V::Lane x, gradient;
      V::load(g.x + at, x);
      V::load(g.outputs + at, gradient);
      pass_activation<V, kSilu, T>(x, factor, V::load(map.affine.shift + c), gradient);
      const typename V::Lane slope = V::load(map.slope + c);
      V::store(static_cast<const typename V::Lane&>(factor * gradient + slope * (x - V::load(map.centre + c)) +
                                                    V::load(map.offset + c)),
               dx + at);
    }
}

template <class V, class T>
[[gnu::always_inline]] inline void sum_either(const Gradients<T>& gradients, const Affine& affine, const float* centre,
                                              float* sums, float* products) {
  affine.silu ? sum_gradients_of<V, true>(gradients, affine, centre, sums, products)
              : sum_gradients_of<V, false>(gradients, affine, centre, sums, products);
}

template <class V, class T>
[[gnu::always_inline]] inline void map_either(const Gradients<T>& gradients, const GradientMap& map, T* dx) {
  map.affine.silu ? map_gradients_of<V, true>(gradients, map, dx) : map_gradients_of<V, false>(gradients, map, dx);
}

}  // namespace

void add_gradient_moments(const Gradients<float>& gradients, const Affine& affine, const float* centre, float* sums,
                          float* products) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { sum_either<decltype(v)>(gradients, affine, centre, sums, products); });
}

void add_gradient_moments(const Gradients<c10::BFloat16>& gradients, const Affine& affine, const float* centre,
                          float* sums, float* products) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { sum_either<decltype(v)>(gradients, affine, centre, sums, products); });
}

void apply_gradient(const Gradients<float>& gradients, const GradientMap& map, float* dx) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { map_either<decltype(v)>(gradients, map, dx); });
}

void apply_gradient(const Gradients<c10::BFloat16>& gradients, const GradientMap& map, c10::BFloat16* dx) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { map_either<decltype(v)>(gradients, map, dx); });
}

}  // namespace sfumato::group_norm
