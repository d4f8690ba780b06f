#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/group_norm_loops.h"
#include "kernels/parallel.h"
#include "kernels/winograd.h"
#include "kernels/winograd_tiles.h"
#include "kernels/winograd_transforms.h"

/// The convolution of kernels/winograd.h for any source of transformed weights.
namespace sfumato::winograd {

/// Rows of one image, padded, mapped and upsampled, of which a strip of tiles reads kInputs: a ring.
template <class T>
class InputRows {
 public:
  InputRows(const torch::Tensor& x, const Tiles<T>& tiles, const ConvolutionFusion& fusion)
      : image_(x.const_data_ptr<T>()),
        tiles_(tiles),
        fusion_(fusion),
        channels_(x.size(1)),
        width_(tiles.columns * Maps<T>::kOutputs + 2),
        rows_(torch::zeros({kRows, width_ * channels_}, x.options())),
        mapped_(fusion.norm && fusion.upsampling > 1 ? torch::empty({x.size(3) * channels_}, x.options())
                                                     : torch::Tensor()) {}

  /// Reads the rows of a strip, of which those of the strip before may be there.
  void read(std::int64_t strip) {
    const auto image = strip / tiles_.rows, top = strip % tiles_.rows * Maps<T>::kOutputs - 1;
    const bool follows = strip == last_ + 1 && top >= 0;
    for (auto y = follows ? top + kRows - Maps<T>::kOutputs : top; y < top + kRows; ++y) fill(image, y);
    last_ = strip;
    top_ = top;
  }

  /// Writes the addresses of the pixels of a tile of the strip.
  void pixels(std::int64_t column, std::array<const T*, Maps<T>::kPoints>& out) {
    for (std::int64_t i = 0; i < kRows; ++i)
      for (std::int64_t j = 0; j < kRows; ++j)
        out[static_cast<std::size_t>(i * kRows + j)] = row(top_ + i) + (column * Maps<T>::kOutputs + j) * channels_;
  }

 private:
  static constexpr auto kRows = Maps<T>::kInputs;

  T* row(std::int64_t y) { return rows_.template mutable_data_ptr<T>() + (y + kRows) % kRows * width_ * channels_; }

  void fill(std::int64_t image, std::int64_t y) {
    auto* to = row(y) + channels_;  // after the padding
    if (y < 0 || y >= tiles_.height) {
      std::memset(static_cast<void*>(to), 0, static_cast<std::size_t>(tiles_.width * channels_) * sizeof(T));
      return;
    }
    const auto scale = fusion_.upsampling, width = tiles_.width / scale;
    const auto* from = image_ + (image * (tiles_.height / scale) + y / scale) * width * channels_;
    if (fusion_.norm) {
      auto* mapped = scale == 1 ? to : mapped_.template mutable_data_ptr<T>();
      const auto first = image * channels_;
      const group_norm::Affine affine{fusion_.norm->factor.const_data_ptr<float>() + first,
                                      fusion_.norm->shift.const_data_ptr<float>() + first, fusion_.norm->silu};
      group_norm::apply(from, width, channels_, affine, mapped);
      from = mapped;
    }
    if (from == to) return;
    if (scale == 1) {
      std::copy_n(from, width * channels_, to);
      return;
    }
    for (std::int64_t x = 0; x < tiles_.width; ++x)
      std::copy_n(from + x / scale * channels_, channels_, to + x * channels_);
  }

  const T* image_;
  const Tiles<T>& tiles_;
  const ConvolutionFusion& fusion_;
  std::int64_t channels_, width_;
  torch::Tensor rows_, mapped_;
  std::int64_t last_ = -2, top_ = 0;
};

/// Transforms strips first .. first + count of x to [kPoints, tiles, C].
template <class T>
void transform_strips(const torch::Tensor& x, const Tiles<T>& tiles, const ConvolutionFusion& fusion,
                      std::int64_t first, std::int64_t count, Points<T>& points) {
  const auto channels = x.size(1);
  auto* to = points.data();
  parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
    InputRows<T> rows(x, tiles, fusion);
    std::array<const T*, Maps<T>::kPoints> pixels;
    for (auto strip = begin; strip < end; ++strip) {
      rows.read(first + strip);
      for (std::int64_t column = 0; column < tiles.columns; ++column) {
        rows.pixels(column, pixels);
        transform_input(pixels.data(), channels, to + (strip * tiles.columns + column) * channels, points.stride());
      }
    }
  });
}

/// Number of strips that are transformed at once: so few that they stay in the cache, so many that the transform of the
/// weights, which is repeated for each of these groups, is a small share.
template <class T>
std::int64_t strips_at_once(const Tiles<T>& tiles, std::int64_t channels) {
  constexpr std::int64_t kBytesOfThread = 16 << 20, kMostTilesOfThread = 1024;
  const auto bytes_of_tile = Maps<T>::kPoints * channels * static_cast<std::int64_t>(sizeof(T));
  const auto most = std::min(kBytesOfThread / bytes_of_tile, kMostTilesOfThread) * at::get_num_threads();
  return std::clamp<std::int64_t>(most / tiles.columns, 1, tiles.strips());
}

/// Convolves x [N, C, H, W], channels-last, to [N, outputs, H, W], channels-last. transform(first, columns, to, stride)
/// writes the transformed weights of `columns` outputs from `first` on.
template <class T, class Transform>
torch::Tensor convolve_transformed(const torch::Tensor& x, std::int64_t outputs, const torch::Tensor& bias,
                                   const ConvolutionFusion& fusion, const Transform& transform) {
  constexpr auto kPoints = Maps<T>::kPoints;
  constexpr std::int64_t kTilesOfProduct = 256;
  const Tiles<T> tiles(x, fusion.upsampling);
  const auto channels = x.size(1), image_size = tiles.height * tiles.width * outputs;
  const auto biases = bias.defined() ? bias.to(torch::kFloat32) : bias;
  auto out = torch::empty({x.size(0), outputs, tiles.height, tiles.width}, x.options(), at::MemoryFormat::ChannelsLast);
  auto* image = out.template mutable_data_ptr<T>();
  const auto* added = fusion.added.defined() ? fusion.added.const_data_ptr<T>() : nullptr;
  const auto strips = strips_at_once(tiles, channels);
  Points<T> inputs(strips * tiles.columns, channels);
  for (std::int64_t strip = 0; strip < tiles.strips(); strip += strips) {
    const auto some = std::min(strips, tiles.strips() - strip), count = some * tiles.columns;
    transform_strips(x, tiles, fusion, strip, some, inputs);
    const auto groups = (count + kTilesOfProduct - 1) / kTilesOfProduct;
    parallel_for((outputs + kColumns - 1) / kColumns * groups, [&](std::int64_t begin, std::int64_t end) {
      auto weights = torch::empty({kPoints * channels * kColumns}, x.options());
      auto products = torch::zeros({kPoints * kTilesOfProduct * kColumns}, torch::kFloat32);
      auto* factor = weights.template mutable_data_ptr<T>();
      auto* result = products.template mutable_data_ptr<float>();
      std::int64_t transformed = -1;
      for (auto i = begin; i < end; ++i) {
        const auto first = i / groups * kColumns, columns = std::min(kColumns, outputs - first);
        if (first != transformed) transform(first, columns, factor, channels * columns);
        transformed = first;
        const auto group = i % groups * kTilesOfProduct, rows = std::min(kTilesOfProduct, count - group);
        const ProductSizes sizes{.rows = rows,
                                 .columns = columns,
                                 .inner = channels,
                                 .first_stride = channels,
                                 .second_stride = columns,
                                 .result_stride = columns};
        for (std::int64_t p = 0; p < kPoints; ++p)
          if (fusion.upsampling != 2 || !Maps<T>::vanishes_upsampled(p))
            multiply(sizes, inputs.data() + p * inputs.stride() + group * channels, factor + p * channels * columns,
                     result + p * kTilesOfProduct * kColumns);
        for (std::int64_t row = 0; row < rows; ++row) {
          const auto tile = strip * tiles.columns + group + row, offset = tiles.image(tile) * image_size + first;
          transform_output(
              result + row * columns, kTilesOfProduct * kColumns,
              Block<T>{.image = image + offset,
                       .height = tiles.height,
                       .width = tiles.width,
                       .channels = outputs,
                       .top = tiles.top(tile),
                       .left = tiles.left(tile),
                       .columns = columns,
                       .bias = biases.defined() ? biases.template const_data_ptr<float>() + first : nullptr,
                       .added = added == nullptr ? nullptr : added + offset});
        }
      }
      end_products<T>();
    });
  }
  return out;
}

/// Convolves x [N, C, H, W], channels-last, with `weight` [O, C, 3, 3] of type W.
template <class T, class W = T>
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const ConvolutionFusion& fusion = {}) {
  const auto last = weight.contiguous(at::MemoryFormat::ChannelsLast);  // [O, 3, 3, C] in memory
  const auto channels = weight.size(1);
  const auto transform = [&](std::int64_t first, std::int64_t columns, T* to, std::int64_t stride) {
    const auto* from = last.template const_data_ptr<W>() + first * 9 * channels;
    transform_weights(Weights<W>{.first = from, .channels = channels, .columns = columns}, to, stride);
  };
  return convolve_transformed<T>(x, weight.size(0), bias, fusion, transform);
}

}  // namespace sfumato::winograd
