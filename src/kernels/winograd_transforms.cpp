#include "kernels/winograd_transforms.h"

#include "kernels/lanes.h"
#include "kernels/winograd_maps.h"

// The lambdas must be inlined into each version of the functions below.
#define SFUMATO_INLINE __attribute__((always_inline))

namespace sfumato::winograd {
namespace {

using c10::BFloat16;
using lanes::Bits;
using lanes::kLane;
using lanes::Lane;
using lanes::load;
using lanes::store;

/// The bits of two rows of bfloat16, rounded to the nearest, ties to even, and interleaved.
[[gnu::always_inline]] inline void interleave(const Lane& first, const Lane& second, Bits& out) {
  const Bits low = reinterpret_cast<const Bits&>(first), high = reinterpret_cast<const Bits&>(second);
  out = ((low + 0x7FFF + ((low >> 16) & 1)) >> 16) | ((high + 0x7FFF + ((high >> 16) & 1)) & 0xFFFF0000U);
}

[[gnu::always_inline]] inline void store_bits(const Bits& bits, void* to) {
  *static_cast<Bits*>(to) = bits;
}

/// Transposes a matrix of kLane x kLane words; `to` has rows `stride` bytes apart.
[[gnu::always_inline]] inline void transpose(const Bits (&rows)[kLane], char* to, std::int64_t stride) {
  Bits from[kLane], half[kLane];
  for (std::int64_t i = 0; i < kLane; ++i) from[i] = rows[i];
  // Each of four rounds interleaves row i with row i + 8: the bits of a word's position rotate by one.
  for (int round = 0; round < 4; ++round) {
    for (std::int64_t i = 0; i < kLane / 2; ++i) {
      half[2 * i] =
          __builtin_shufflevector(from[i], from[i + kLane / 2], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      half[2 * i + 1] = __builtin_shufflevector(from[i], from[i + kLane / 2], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                                29, 14, 30, 15, 31);
    }
    for (std::int64_t i = 0; i < kLane; ++i) from[i] = half[i];
  }
  for (std::int64_t i = 0; i < kLane; ++i) store_bits(from[i], to + i * stride);
}

template <class T>
[[gnu::always_inline]] inline void transform_input_of(const T* const* pixels, std::int64_t channels, T* to,
                                                      std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateInput;
  for (std::int64_t c = 0; c < channels; c += kLane)
    map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                        SFUMATO_INLINE { load(pixels[i * Map::kFrom + j] + c, value); },
                    [&](std::int64_t i, std::int64_t j, const Lane& value)
                        SFUMATO_INLINE { store(value, to + (i * Map::kTo + j) * point_stride + c); });
}

/// Transforms kLane consecutive channels of the weights of one output to points.
template <class Map, class W>
[[gnu::always_inline]] inline void transform_weight(const W* weight, std::int64_t channels,
                                                    Lane (&points)[Map::kTo * Map::kTo]) {
  map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                      SFUMATO_INLINE { load(weight + (i * Map::kFrom + j) * channels, value); },
                  [&](std::int64_t i, std::int64_t j, const Lane& value)
                      SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
}

/// The same of weights turned by 180 degrees.
template <class Map, class W>
[[gnu::always_inline]] inline void transform_turned_weight(const W* weight, std::int64_t channels,
                                                           Lane (&points)[Map::kTo * Map::kTo]) {
  map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                      SFUMATO_INLINE { load(weight + ((2 - i) * Map::kFrom + 2 - j) * channels, value); },
                  [&](std::int64_t i, std::int64_t j, const Lane& value)
                      SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
}

template <class W, class T>
[[gnu::always_inline]] inline void transform_weights_of(const Weights<W>& weights, T* to, std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateWeight;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  const auto channels = weights.channels;
  Bits rows[kPoints][kLane];  // by point and output
  for (std::int64_t c = 0; c < channels; c += kLane * kInterleaved)
    for (std::int64_t first = 0; first < weights.columns; first += kLane) {
      for (std::int64_t o = 0; o < kLane; ++o) {
        const auto* weight = weights.first + (first + o) * 9 * channels + c;
        Lane points[kPoints];
        transform_weight<Map>(weight, channels, points);
        if constexpr (kInterleaved == 1) {
          for (std::int64_t p = 0; p < kPoints; ++p) rows[p][o] = reinterpret_cast<const Bits&>(points[p]);
        } else {
          // Channels of one output are neighbours: rounded, they are the pairs that a row of the factor holds.
          Lane others[kPoints];
          transform_weight<Map>(weight + kLane, channels, others);
          for (std::int64_t p = 0; p < kPoints; ++p) {
            auto* row = reinterpret_cast<T*>(&rows[p][o]);
            store(points[p], row);
            store(others[p], row + kLane);
          }
        }
      }
      for (std::int64_t p = 0; p < kPoints; ++p)
        transpose(rows[p], reinterpret_cast<char*>(to + p * point_stride + c * weights.columns + first * kInterleaved),
                  weights.columns * kInterleaved * static_cast<std::int64_t>(sizeof(T)));
    }
}

template <class W, class T>
[[gnu::always_inline]] inline void transform_turned_weights_of(const TurnedWeights<W>& weights, T* to,
                                                               std::int64_t point_stride) {
  using Map = typename Maps<T>::EvaluateWeight;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  for (std::int64_t o = 0; o < weights.outputs; o += kInterleaved)
    for (std::int64_t c = 0; c < weights.columns; c += kLane) {
      const auto* weight = weights.first + o * 9 * weights.channels + c;
      Lane points[kPoints];
      transform_turned_weight<Map>(weight, weights.channels, points);
      auto* row = to + o * weights.columns + c * kInterleaved;
      if constexpr (kInterleaved == 1) {
        for (std::int64_t p = 0; p < kPoints; ++p) store(points[p], row + p * point_stride);
      } else {
        Lane others[kPoints];
        transform_turned_weight<Map>(weight + 9 * weights.channels, weights.channels, others);
        for (std::int64_t p = 0; p < kPoints; ++p) {
          Bits pairs;
          interleave(points[p], others[p], pairs);
          store_bits(pairs, row + p * point_stride);
        }
      }
    }
}

template <class T>
[[gnu::always_inline]] inline void transform_output_to(const float* from, std::int64_t point_stride,
                                                       const Block<T>& block) {
  using Map = typename Maps<T>::Interpolate;
  for (std::int64_t c = 0; c < block.columns; c += kLane) {
    Lane bias{};
    if (block.bias != nullptr) load(block.bias + c, bias);
    map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                        SFUMATO_INLINE { value = load(from + (i * Map::kFrom + j) * point_stride + c); },
                    [&](std::int64_t i, std::int64_t j, const Lane& value) SFUMATO_INLINE {
                      const auto y = block.top + i, x = block.left + j;
                      if (y >= block.height || x >= block.width) return;
                      const auto place = (y * block.width + x) * block.channels + c;
                      Lane added{};
                      if (block.added != nullptr) load(block.added + place, added);
                      store(static_cast<const Lane&>(value + bias + added), block.image + place);
                    });
  }
}

template <class T>
[[gnu::always_inline]] inline void transform_output_gradients_of(const T* const* pixels, T* to,
                                                                 std::int64_t point_stride,
                                                                 std::int64_t channel_stride) {
  using Map = typename Maps<T>::SpreadGradient;
  constexpr auto kPoints = Maps<T>::kPoints, kInterleaved = Maps<T>::kInterleaved;
  constexpr auto kPixels = Map::kFrom * Map::kFrom;
  Bits rows[kPoints][kLane];  // by point and tile, or pair of tiles
  const auto spread = [&](std::int64_t tile, Lane(&points)[kPoints]) SFUMATO_INLINE {
    map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                        SFUMATO_INLINE { load(pixels[tile * kPixels + i * Map::kFrom + j], value); },
                    [&](std::int64_t i, std::int64_t j, const Lane& value)
                        SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
  };
  for (std::int64_t k = 0; k < kLane; ++k) {
    Lane points[kPoints];
    spread(k * kInterleaved, points);
    if constexpr (kInterleaved == 1) {
      for (std::int64_t p = 0; p < kPoints; ++p) rows[p][k] = reinterpret_cast<const Bits&>(points[p]);
    } else {
      Lane others[kPoints];
      spread(k * kInterleaved + 1, others);
      for (std::int64_t p = 0; p < kPoints; ++p) interleave(points[p], others[p], rows[p][k]);
    }
  }
  for (std::int64_t p = 0; p < kPoints; ++p)
    transpose(rows[p], reinterpret_cast<char*>(to + p * point_stride),
              channel_stride * static_cast<std::int64_t>(sizeof(T)));
}

template <class T>
[[gnu::always_inline]] inline void transform_weight_gradient_of(const Sums<T>& sums, float* to) {
  using Map = typename Maps<T>::GatherGradient;
  for (std::int64_t c = 0; c < sums.channels; c += kLane)
    map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                        SFUMATO_INLINE { value = load(sums.from + (i * Map::kFrom + j) * sums.point_stride + c); },
                    [&](std::int64_t i, std::int64_t j, const Lane& value)
                        SFUMATO_INLINE { store(value, to + (i * Map::kTo + j) * sums.channels + c); });
}

}  // namespace

SFUMATO_MULTIVERSION void transform_input(const float* const* pixels, std::int64_t channels, float* to,
                                          std::int64_t point_stride) {
  transform_input_of(pixels, channels, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_input(const BFloat16* const* pixels, std::int64_t channels, BFloat16* to,
                                          std::int64_t point_stride) {
  transform_input_of(pixels, channels, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_input_pair(const BFloat16* const* pixels, std::int64_t channels, BFloat16* to,
                                               std::int64_t point_stride) {
  using Map = Maps<BFloat16>::EvaluateInput;
  constexpr auto kPoints = Maps<BFloat16>::kPoints;
  for (std::int64_t c = 0; c < channels; c += kLane) {
    const auto evaluate = [&](std::int64_t tile, Lane(&points)[kPoints]) SFUMATO_INLINE {
      map_square<Map>([&](std::int64_t i, std::int64_t j, Lane& value)
                          SFUMATO_INLINE { load(pixels[tile * kPoints + i * Map::kFrom + j] + c, value); },
                      [&](std::int64_t i, std::int64_t j, const Lane& value)
                          SFUMATO_INLINE { points[i * Map::kTo + j] = value; });
    };
    Lane points[kPoints], others[kPoints];
    evaluate(0, points);
    evaluate(1, others);
    for (std::int64_t p = 0; p < kPoints; ++p) {
      Bits pairs;
      interleave(points[p], others[p], pairs);
      store_bits(pairs, to + p * point_stride + 2 * c);
    }
  }
}

SFUMATO_MULTIVERSION void transform_weights(const Weights<float>& weights, float* to, std::int64_t point_stride) {
  transform_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_weights(const Weights<float>& weights, BFloat16* to, std::int64_t point_stride) {
  transform_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_weights(const Weights<BFloat16>& weights, BFloat16* to, std::int64_t point_stride) {
  transform_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_turned_weights(const TurnedWeights<float>& weights, float* to,
                                                   std::int64_t point_stride) {
  transform_turned_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_turned_weights(const TurnedWeights<float>& weights, BFloat16* to,
                                                   std::int64_t point_stride) {
  transform_turned_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_turned_weights(const TurnedWeights<BFloat16>& weights, BFloat16* to,
                                                   std::int64_t point_stride) {
  transform_turned_weights_of(weights, to, point_stride);
}

SFUMATO_MULTIVERSION void transform_output(const float* from, std::int64_t point_stride, const Block<float>& block) {
  transform_output_to(from, point_stride, block);
}

SFUMATO_MULTIVERSION void transform_output(const float* from, std::int64_t point_stride, const Block<BFloat16>& block) {
  transform_output_to(from, point_stride, block);
}

SFUMATO_MULTIVERSION void transform_output_gradients(const float* const* pixels, float* to, std::int64_t point_stride,
                                                     std::int64_t channel_stride) {
  transform_output_gradients_of(pixels, to, point_stride, channel_stride);
}

SFUMATO_MULTIVERSION void transform_output_gradients(const BFloat16* const* pixels, BFloat16* to,
                                                     std::int64_t point_stride, std::int64_t channel_stride) {
  transform_output_gradients_of(pixels, to, point_stride, channel_stride);
}

SFUMATO_MULTIVERSION void transform_weight_gradient(const Sums<float>& sums, float* to) {
  transform_weight_gradient_of(sums, to);
}

SFUMATO_MULTIVERSION void transform_weight_gradient(const Sums<BFloat16>& sums, float* to) {
  transform_weight_gradient_of(sums, to);
}

}  // namespace sfumato::winograd
