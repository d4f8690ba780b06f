#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "kernels/lanes.h"
#include "kernels/plain_inference.h"
#include "kernels/winograd.h"
#include "kernels/winograd_convolution.h"

namespace sfumato {
namespace {

using at::BFloat16;
using lanes::kWidest;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using winograd::kColumns;
using winograd::Maps;

/// The gradient of the input: the convolution of dy with the weights [O, C, 3, 3] turned by 180 degrees.
template <class T, class W>
torch::Tensor input_gradient(const torch::Tensor& dy, const torch::Tensor& weight) {
  const auto last = weight.contiguous(at::MemoryFormat::ChannelsLast);  // [O, 3, 3, C] in memory
  const auto outputs = weight.size(0), channels = weight.size(1);
  const auto transform = [&](std::int64_t first, std::int64_t columns, T* to, std::int64_t stride) {
    const winograd::TurnedWeights<W> turned{.first = last.template const_data_ptr<W>() + first,
                                            .outputs = outputs,
                                            .channels = channels,
                                            .columns = columns};
    winograd::transform_turned_weights(turned, to, stride);
  };
  return winograd::convolve_transformed<T>(dy, channels, {}, {}, transform);
}

/// Channels-last images, with zeros outside them and in tiles beyond the last.
template <class T>
class PaddedImages {
 public:
  explicit PaddedImages(const torch::Tensor& x)
      : first_(x.const_data_ptr<T>()), channels_(x.size(1)), zeros_(static_cast<std::size_t>(channels_), T(0.0F)) {}

  /// Writes the addresses of the side x side pixels of a tile from (top + shift, left + shift) on.
  void pixels(const winograd::Tiles<T>& tiles, std::int64_t tile, std::int64_t side, std::int64_t shift,
              const T** out) const {
    const auto top = tiles.top(tile) + shift, left = tiles.left(tile) + shift;
    const auto* image = first_ + tiles.image(tile) * tiles.height * tiles.width * channels_;
    for (auto y = top; y < top + side; ++y)
      for (auto x = left; x < left + side; ++x) {
        const bool inside = tile < tiles.count() && y >= 0 && y < tiles.height && x >= 0 && x < tiles.width;
        *out++ = inside ? image + (y * tiles.width + x) * channels_ : zeros_.data();
      }
  }

 private:
  const T* first_;
  std::int64_t channels_;
  std::vector<T> zeros_;
};

/// Transforms tiles first .. first + count of x to second factors [kPoints, tiles, C], interleaved as they need it.
template <class T>
void transform_inputs(const torch::Tensor& x, const winograd::Tiles<T>& tiles, std::int64_t first, std::int64_t count,
                      winograd::Points<T>& points) {
  constexpr auto kInterleaved = Maps<T>::kInterleaved, kPoints = Maps<T>::kPoints;
  const auto channels = x.size(1);
  const PaddedImages<T> images(x);
  auto* to = points.data();
  parallel_for(count / kInterleaved, [&](std::int64_t begin, std::int64_t end) {
    std::array<const T*, kPoints * kInterleaved> pixels;
    for (auto k = begin * kInterleaved; k < end * kInterleaved; k += kInterleaved) {
      for (std::int64_t i = 0; i < kInterleaved; ++i)
        images.pixels(tiles, first + k + i, Maps<T>::kInputs, -1, pixels.data() + i * kPoints);
      if constexpr (kInterleaved == 1)
        winograd::transform_input(pixels.data(), channels, to + k * channels, points.stride());
      else
        winograd::transform_input_pair(pixels.data(), channels, to + k * channels, points.stride());
    }
  });
}

/// Transforms tiles first .. first + count of dy to [kPoints, O, tiles].
template <class T>
void transform_gradients(const torch::Tensor& dy, const winograd::Tiles<T>& tiles, std::int64_t first,
                         std::int64_t count, winograd::Points<T>& points) {
  constexpr auto kTiles = winograd::kTilesOfGradient<T>, kOutputs = Maps<T>::kOutputs;
  const PaddedImages<T> images(dy);
  auto* to = points.data();
  parallel_for(count / kTiles, [&](std::int64_t begin, std::int64_t end) {
    std::array<const T*, kTiles * kOutputs * kOutputs> pixels, of_channels;
    for (auto group = begin; group < end; ++group) {
      for (std::int64_t k = 0; k < kTiles; ++k)
        images.pixels(tiles, first + group * kTiles + k, kOutputs, 0, pixels.data() + k * kOutputs * kOutputs);
      for (std::int64_t o = 0; o < dy.size(1); o += kWidest) {
        std::transform(pixels.begin(), pixels.end(), of_channels.begin(), [&](const T* pixel) { return pixel + o; });
        winograd::transform_output_gradients(of_channels.data(), to + o * count + group * kTiles, points.stride(),
                                             count);
      }
    }
  });
}

/// Transforms sums over tiles [kPoints, O, C] to the gradient of the weights: [O, C, 3, 3], channels-last.
template <class T>
torch::Tensor transform_sums(const torch::Tensor& sums) {
  const auto outputs = sums.size(1), channels = sums.size(2);
  auto gradient = torch::empty({outputs, channels, 3, 3}, torch::kFloat32, at::MemoryFormat::ChannelsLast);
  auto* to = gradient.mutable_data_ptr<float>();
  const auto* from = sums.const_data_ptr<float>();
  parallel_for(outputs, [&](std::int64_t begin, std::int64_t end) {
    for (auto o = begin; o < end; ++o)
      winograd::transform_weight_gradient(
          winograd::Sums<T>{.from = from + o * channels, .point_stride = outputs * channels, .channels = channels},
          to + o * 9 * channels);
  });
  return gradient;
}

/// Gradient of the weights. With y = A^T [(G g G^T) . (B^T d B)] A of each tile, that of g is
/// G^T [sum over tiles of (A dy A^T) . (B^T d B)] G.
template <class T>
torch::Tensor weight_gradient(const torch::Tensor& x, const torch::Tensor& dy) {
  constexpr std::int64_t kTilesAtOnce = 512;
  constexpr auto kTiles = winograd::kTilesOfGradient<T>;
  const winograd::Tiles<T> tiles(x);
  const auto outputs = dy.size(1), channels = x.size(1), blocks = (channels + kColumns - 1) / kColumns;
  const auto whole = (tiles.count() + kTiles - 1) / kTiles * kTiles;  // tiles beyond the last have zero gradients
  const torch::Tensor sums = torch::empty({Maps<T>::kPoints, outputs, channels}, torch::kFloat32);
  auto* sum = sums.mutable_data_ptr<float>();
  for (std::int64_t first = 0; first < whole; first += kTilesAtOnce) {
    const auto count = std::min(kTilesAtOnce, whole - first);
    winograd::Points<T> inputs(count, channels), gradients(outputs, count);
    transform_inputs(x, tiles, first, count, inputs);
    transform_gradients(dy, tiles, first, count, gradients);
    const auto *from = gradients.data(), *factor = inputs.data();
    parallel_for(Maps<T>::kPoints * blocks, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) {
        const auto p = i / blocks, column = i % blocks * kColumns;
        winograd::multiply(winograd::ProductSizes{.rows = outputs,
                                                  .columns = std::min(kColumns, channels - column),
                                                  .inner = count,
                                                  .first_stride = count,
                                                  .second_stride = channels,
                                                  .result_stride = channels},
                           from + p * gradients.stride(), factor + p * inputs.stride() + column * Maps<T>::kInterleaved,
                           sum + p * outputs * channels + column, /*adds=*/first > 0);
      }
      winograd::end_products<T>();
    });
  }
  return transform_sums<T>(sums);
}

class TrainableWinograd : public torch::autograd::Function<TrainableWinograd> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const std::optional<torch::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    const auto shift = bias.value_or(torch::Tensor());
    if (x.scalar_type() == torch::kFloat32) return winograd::convolve<float>(x, weight, shift);
    if (weight.scalar_type() == torch::kFloat32) return winograd::convolve<BFloat16, float>(x, weight, shift);
    return winograd::convolve<BFloat16>(x, weight, shift);
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    TORCH_CHECK(!torch::GradMode::is_enabled(), "Winograd convolutions have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto dy = outputs[0].contiguous(at::MemoryFormat::ChannelsLast);
    variable_list gradients(3);
    if (context->needs_input_grad(0)) gradients[0] = gradient_of_input(dy, weight);
    if (context->needs_input_grad(1))
      gradients[1] =
          (dy.scalar_type() == torch::kFloat32 ? weight_gradient<float>(x, dy) : weight_gradient<BFloat16>(x, dy))
              .to(weight.scalar_type());
    if (context->saved_data["bias"].toBool()) gradients[2] = dy.sum({0, 2, 3}, false, weight.scalar_type());
    return gradients;
  }

 private:
  static torch::Tensor gradient_of_input(const torch::Tensor& dy, const torch::Tensor& weight) {
    if (dy.scalar_type() == torch::kFloat32) return input_gradient<float, float>(dy, weight);
    if (weight.scalar_type() == torch::kFloat32) return input_gradient<BFloat16, float>(dy, weight);
    return input_gradient<BFloat16, BFloat16>(dy, weight);
  }
};

}  // namespace

torch::Tensor trainable_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  return TrainableWinograd::apply(x.to(training_dtype(x)).contiguous(at::MemoryFormat::ChannelsLast), weight,
                                  bias.defined() ? std::optional(bias) : std::nullopt);
}

}  // namespace sfumato
