#include "kernels/winograd_transforms.h"

#include "kernels/multiversion.h"
#include "kernels/winograd_maps.h"

namespace sfumato::winograd {
namespace {

using c10::BFloat16;
using lanes::kWidest;

template <class V>
[[gnu::always_inline]] inline void store_bits(const typename V::Bits& bits, void* to) {
  *static_cast<typename V::Bits*>(to) = bits;
}

/// Transposes a matrix of kLane x kLane words; `to` has rows `stride` bytes apart.
template <class V>
[[gnu::always_inline]] inline void transpose(const typename V::Bits (&rows)[V::kLane], char* to, std::int64_t stride) {
  constexpr auto kLane = V::kLane;
  typename V::Bits from[kLane], half[kLane];
  for (std::int64_t i = 0; i < kLane; ++i) from[i] = rows[i];
  // Each round interleaves row i with row i + kLane / 2: the bits of a word's position rotate by one.
  for (std::int64_t width = 1; width < kLane; width *= 2) {
    for (std::int64_t i = 0; i < kLane / 2; ++i)
      V::interleave(from[i], from[i + kLane / 2], half[2 * i], half[2 * i + 1]);
    for (std::int64_t i = 0; i < kLane; ++i) from[i] = half[i];
  }
  for (std::int64_t i = 0; i < kLane; ++i) store_bits<V>(from[i], to + i * stride);
}

template <class V, class T>
[[gnu::always_inline]] inline void transform_input_of(const T* const* pixels, std::int64_t channels, T* to,
                                                      std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateInput;
  for (std::int64_t c = 0; c < channels; c += V::kLane)
    map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                           SFUMATO_INLINE { V::load(pixels[i * Map::kFrom + j] + c, value); },
                       [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
                           SFUMATO_INLINE { V::store(value, to + (i * Map::kTo + j) * point_stride + c); });
}

/// Two tiles, interleaved.
template <class V>
[[gnu::always_inline]] inline void transform_input_pair_of(const BFloat16* const* pixels, std::int64_t channels,
                                                           BFloat16* to, std::int64_t point_stride) {
  using Map = Maps<BFloat16>::EvaluateInput;
  constexpr auto kPoints = Maps<BFloat16>::kPoints;
  for (std::int64_t c = 0; c < channels; c += V::kLane) {
    const auto evaluate = [&](std::int64_t tile, typename V::Lane(&points)[kPoints]) SFUMATO_INLINE {
      map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                             SFUMATO_INLINE { V::load(pixels[tile * kPoints + i * Map::kFrom + j] + c, value); },
                         [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
                             SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
    };
    typename V::Lane points[kPoints], others[kPoints];
    evaluate(0, points);
    evaluate(1, others);
    for (std::int64_t p = 0; p < kPoints; ++p) {
      typename V::Bits pairs;
      V::pair(points[p], others[p], pairs);
      store_bits<V>(pairs, to + p * point_stride + 2 * c);
    }
  }
}

/// Transforms kLane consecutive channels of the weights of one output to points.
template <class V, class Map, class W>
[[gnu::always_inline]] inline void transform_weight(const W* weight, std::int64_t channels,
                                                    typename V::Lane (&points)[Map::kTo * Map::kTo]) {
  map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                         SFUMATO_INLINE { V::load(weight + (i * Map::kFrom + j) * channels, value); },
                     [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
                         SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
}

/// The same of weights turned by 180 degrees.
template <class V, class Map, class W>
[[gnu::always_inline]] inline void transform_turned_weight(const W* weight, std::int64_t channels,
                                                           typename V::Lane (&points)[Map::kTo * Map::kTo]) {
  map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                         SFUMATO_INLINE { V::load(weight + ((2 - i) * Map::kFrom + 2 - j) * channels, value); },
                     [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
                         SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
}

template <class V, class W, class T>
[[gnu::always_inline]] inline void transform_weights_of(const Weights<W>& weights, T* to, std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateWeight;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  const auto channels = weights.channels;
  typename V::Bits rows[kPoints][V::kLane];  // by point and output
  for (std::int64_t c = 0; c < channels; c += V::kLane * kInterleaved)
    for (std::int64_t first = 0; first < weights.columns; first += V::kLane) {
      for (std::int64_t o = 0; o < V::kLane; ++o) {
        const auto* weight = weights.first + (first + o) * 9 * channels + c;
        typename V::Lane points[kPoints];
        transform_weight<V, Map>(weight, channels, points);
        if constexpr (kInterleaved == 1) {
          for (std::int64_t p = 0; p < kPoints; ++p) rows[p][o] = reinterpret_cast<const typename V::Bits&>(points[p]);
        } else {
          // Channels of one output are neighbours: rounded, they are the pairs that a row of the factor holds.
          typename V::Lane others[kPoints];
          transform_weight<V, Map>(weight + V::kLane, channels, others);
          for (std::int64_t p = 0; p < kPoints; ++p) {
            auto* row = reinterpret_cast<T*>(&rows[p][o]);
            V::store(points[p], row);
            V::store(others[p], row + V::kLane);
          }
        }
      }
      for (std::int64_t p = 0; p < kPoints; ++p)
        transpose<V>(rows[p],
                     reinterpret_cast<char*>(to + p * point_stride + c * weights.columns + first * kInterleaved),
                     weights.columns * kInterleaved * static_cast<std::int64_t>(sizeof(T)));
    }
}

template <class V, class W, class T>
[[gnu::always_inline]] inline void transform_turned_weights_of(const TurnedWeights<W>& weights, T* to,
                                                               std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateWeight;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  for (std::int64_t o = 0; o < weights.outputs; o += kInterleaved)
    for (std::int64_t c = 0; c < weights.columns; c += V::kLane) {
      const auto* weight = weights.first + o * 9 * weights.channels + c;
      typename V::Lane points[kPoints];
      transform_turned_weight<V, Map>(weight, weights.channels, points);
      auto* row = to + o * weights.columns + c * kInterleaved;
      if constexpr (kInterleaved == 1) {
        for (std::int64_t p = 0; p < kPoints; ++p) V::store(points[p], row + p * point_stride);
      } else {
        typename V::Lane others[kPoints];
        transform_turned_weight<V, Map>(weight + 9 * weights.channels, weights.channels, others);
        for (std::int64_t p = 0; p < kPoints; ++p) {
          typename V::Bits pairs;
          V::pair(points[p], others[p], pairs);
          store_bits<V>(pairs, row + p * point_stride);
        }
      }
    }
}

template <class V, class T>
[[gnu::always_inline]] inline void transform_output_to(const float* from, std::int64_t point_stride,
                                                       const Block<T>& block) {
  using Map = typename Maps<T>::Interpolate;
  for (std::int64_t c = 0; c < block.columns; c += V::kLane) {
    typename V::Lane bias{};
    if (block.bias != nullptr) V::load(block.bias + c, bias);
    map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                           SFUMATO_INLINE { value = V::load(from + (i * Map::kFrom + j) * point_stride + c); },
                       [&](std::int64_t i, std::int64_t j, const typename V::Lane& value) SFUMATO_INLINE {
                         const auto y = block.top + i, x = block.left + j;
                         if (y >= block.height || x >= block.width) return;
                         const auto place = (y * block.width + x) * block.channels + c;
                         typename V::Lane added{};
                         if (block.added != nullptr) V::load(block.added + place, added);
                         V::store(static_cast<const typename V::Lane&>(value + bias + added), block.image + place);
                       });
  }
}

template <class V, class T>
[[gnu::always_inline]] inline void transform_output_gradients_of(const T* const* pixels, T* to,
                                                                 std::int64_t point_stride,
                                                                 std::int64_t channel_stride) {
  using Map = typename Maps<T>::SpreadGradient;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  constexpr auto kPixels = Map::kFrom * Map::kFrom;
  constexpr auto kLane = V::kLane;
  const auto spread = [&](std::int64_t tile, std::int64_t c, typename V::Lane(&points)[kPoints]) SFUMATO_INLINE {
    map_square<V, Map>([&](std::int64_t i, std::int64_t j, typename V::Lane& value)
                           SFUMATO_INLINE { V::load(pixels[tile * kPixels + i * Map::kFrom + j] + c, value); },
                       [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
                           SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
  };
  for (std::int64_t c = 0; c < kWidest; c += kLane)
    for (std::int64_t first = 0; first < kWidest; first += kLane) {
      typename V::Bits rows[kPoints][kLane];  // by point and tile, or pair of tiles
      for (std::int64_t k = 0; k < kLane; ++k) {
        const auto tile = (first + k) * kInterleaved;
        typename V::Lane points[kPoints];
        spread(tile, c, points);
        if constexpr (kInterleaved == 1) {
          for (std::int64_t p = 0; p < kPoints; ++p) rows[p][k] = reinterpret_cast<const typename V::Bits&>(points[p]);
        } else {
          typename V::Lane others[kPoints];
          spread(tile + 1, c, others);
          for (std::int64_t p = 0; p < kPoints; ++p) V::pair(points[p], others[p], rows[p][k]);
        }
      }
      for (std::int64_t p = 0; p < kPoints; ++p)
        transpose<V>(rows[p],
                     reinterpret_cast<char*>(to + p * point_stride + c * channel_stride + first * kInterleaved),
                     channel_stride * static_cast<std::int64_t>(sizeof(T)));
    }
}

template <class V, class T>
[[gnu::always_inline]] inline void transform_weight_gradient_of(const Sums<T>& sums, float* to) {
  using Map = typename Maps<T>::GatherGradient;
  for (std::int64_t c = 0; c < sums.channels; c += V::kLane)
    map_square<V, Map>(
        [&](std::int64_t i, std::int64_t j, typename V::Lane& value)
            SFUMATO_INLINE { value = V::load(sums.from + (i * Map::kFrom + j) * sums.point_stride + c); },
        [&](std::int64_t i, std::int64_t j, const typename V::Lane& value)
            SFUMATO_INLINE { V::store(value, to + (i * Map::kTo + j) * sums.channels + c); });
}

}  // namespace

void transform_input(const float* const* pixels, std::int64_t channels, float* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_input_of<decltype(v)>(pixels, channels, to, point_stride); });
}

void transform_input(const BFloat16* const* pixels, std::int64_t channels, BFloat16* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_input_of<decltype(v)>(pixels, channels, to, point_stride); });
}

void transform_input_pair(const BFloat16* const* pixels, std::int64_t channels, BFloat16* to,
                          std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_input_pair_of<decltype(v)>(pixels, channels, to, point_stride); });
}

void transform_weights(const Weights<float>& weights, float* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_weights(const Weights<float>& weights, BFloat16* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_weights(const Weights<BFloat16>& weights, float* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_weights(const Weights<c10::Half>& weights, float* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_weights(const Weights<BFloat16>& weights, BFloat16* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_turned_weights(const TurnedWeights<float>& weights, float* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_turned_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_turned_weights(const TurnedWeights<float>& weights, BFloat16* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_turned_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_turned_weights(const TurnedWeights<BFloat16>& weights, BFloat16* to, std::int64_t point_stride) {
  with_widest_vectors([&](auto v)
                          SFUMATO_INLINE { transform_turned_weights_of<decltype(v)>(weights, to, point_stride); });
}

void transform_output(const float* from, std::int64_t point_stride, const Block<float>& block) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_output_to<decltype(v)>(from, point_stride, block); });
}

void transform_output(const float* from, std::int64_t point_stride, const Block<BFloat16>& block) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_output_to<decltype(v)>(from, point_stride, block); });
}

void transform_output_gradients(const float* const* pixels, float* to, std::int64_t point_stride,
                                std::int64_t channel_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE {
    transform_output_gradients_of<decltype(v)>(pixels, to, point_stride, channel_stride);
  });
}

void transform_output_gradients(const BFloat16* const* pixels, BFloat16* to, std::int64_t point_stride,
                                std::int64_t channel_stride) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE {
    transform_output_gradients_of<decltype(v)>(pixels, to, point_stride, channel_stride);
  });
}

void transform_weight_gradient(const Sums<float>& sums, float* to) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weight_gradient_of<decltype(v)>(sums, to); });
}

void transform_weight_gradient(const Sums<BFloat16>& sums, float* to) {
  with_widest_vectors([&](auto v) SFUMATO_INLINE { transform_weight_gradient_of<decltype(v)>(sums, to); });
}

}  // namespace sfumato::winograd
