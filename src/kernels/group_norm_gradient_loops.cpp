#include <algorithm>

#include "kernels/group_norm_loops.h"
#include "kernels/lanes.h"

namespace sfumato::group_norm {
namespace {

using lanes::kLane;
using lanes::Lane;

// Pixels whose moments are added in registers.
constexpr std::int64_t kGradientPixelsAtOnce = 8;

/// Replaces the gradient of SiLU(z), z = factor x + shift, by that of z.
template <bool kSilu, class T>
[[gnu::always_inline]] inline void pass_activation(const Lane& x, const Lane& factor, const Lane& shift,
                                                   Lane& gradient) {
  if constexpr (kSilu) {
    const Lane z = x * factor + shift;
    Lane divisor;
    lanes::sigmoid_divisor_of<lanes::kDegreeFor<T>>(z, divisor);
    const Lane sigmoid = 1 / divisor;
    gradient = gradient * sigmoid * (1 + z * (1 - sigmoid));
  }
}

template <bool kSilu, class T>
[[gnu::always_inline]] inline void sum_gradients_of(const Gradients<T>& g, const Affine& affine, const float* centre,
                                                    float* sums, float* products) {
  for (std::int64_t first = 0; first < g.pixels; first += kGradientPixelsAtOnce) {
    const auto end = std::min(first + kGradientPixelsAtOnce, g.pixels);
    for (std::int64_t c = 0; c < g.channels; c += kLane) {
      Lane sum = lanes::load(sums + c), product = lanes::load(products + c);
      const Lane factor = lanes::load(affine.factor + c), shift = lanes::load(affine.shift + c);
      const Lane zero = lanes::load(centre + c);
      for (auto pixel = first; pixel < end; ++pixel) {
        Lane x, gradient;
        lanes::load(g.x + pixel * g.channels + c, x);
        lanes::load(g.outputs + pixel * g.channels + c, gradient);
        pass_activation<kSilu, T>(x, factor, shift, gradient);
        sum += gradient;
        product += gradient * (x - zero);
      }
      lanes::store(sum, sums + c);
      lanes::store(product, products + c);
    }
  }
}

template <bool kSilu, class T>
[[gnu::always_inline]] inline void map_gradients_of(const Gradients<T>& g, const GradientMap& map, T* dx) {
  for (std::int64_t pixel = 0; pixel < g.pixels; ++pixel)
    for (std::int64_t c = 0; c < g.channels; c += kLane) {
      const auto at = pixel * g.channels + c;
      const Lane factor = lanes::load(map.affine.factor + c);
      Lane x, gradient;
      lanes::load(g.x + at, x);
      lanes::load(g.outputs + at, gradient);
      pass_activation<kSilu, T>(x, factor, lanes::load(map.affine.shift + c), gradient);
      const Lane slope = lanes::load(map.slope + c);
      lanes::store(static_cast<const Lane&>(factor * gradient + slope * (x - lanes::load(map.centre + c)) +
                                            lanes::load(map.offset + c)),
                   dx + at);
    }
}

template <class T>
[[gnu::always_inline]] inline void sum_either(const Gradients<T>& gradients, const Affine& affine, const float* centre,
                                              float* sums, float* products) {
  affine.silu ? sum_gradients_of<true>(gradients, affine, centre, sums, products)
              : sum_gradients_of<false>(gradients, affine, centre, sums, products);
}

template <class T>
[[gnu::always_inline]] inline void map_either(const Gradients<T>& gradients, const GradientMap& map, T* dx) {
  map.affine.silu ? map_gradients_of<true>(gradients, map, dx) : map_gradients_of<false>(gradients, map, dx);
}

}  // namespace

SFUMATO_MULTIVERSION void add_gradient_moments(const Gradients<float>& gradients, const Affine& affine,
                                               const float* centre, float* sums, float* products) {
  sum_either(gradients, affine, centre, sums, products);
}

SFUMATO_MULTIVERSION void add_gradient_moments(const Gradients<c10::BFloat16>& gradients, const Affine& affine,
                                               const float* centre, float* sums, float* products) {
  sum_either(gradients, affine, centre, sums, products);
}

SFUMATO_MULTIVERSION void apply_gradient(const Gradients<float>& gradients, const GradientMap& map, float* dx) {
  map_either(gradients, map, dx);
}

SFUMATO_MULTIVERSION void apply_gradient(const Gradients<c10::BFloat16>& gradients, const GradientMap& map,
                                         c10::BFloat16* dx) {
  map_either(gradients, map, dx);
}

}  // namespace sfumato::group_norm
