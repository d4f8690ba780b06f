#include "kernels/winograd.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/processor.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/plain_inference.h"
#include "kernels/winograd_tiles.h"
#include "kernels/winograd_transforms.h"

namespace sfumato {
namespace {

using winograd::kPoints;
using winograd::kTilesAtOnce;
using winograd::Tiles;

// With fewer tiles the transform of the weights, whose cost is constant, outweighs the gain.
constexpr std::int64_t kWorthwhileTiles = 64;
// In bfloat16 the direct sum takes half the time that it takes in float32. Measured on a Zen 4.
constexpr std::int64_t kWorthwhileTilesOfBfloat16 = 256;

/// Transforms [O, C, 3, 3] to [36, O, C].
template <class T>
torch::Tensor transformed_weight(const torch::Tensor& weight) {
  const auto outputs = weight.size(0), channels = weight.size(1);
  const auto last = weight.contiguous(at::MemoryFormat::ChannelsLast);  // [O, 3, 3, C] in memory
  auto points = torch::empty({kPoints, outputs, channels}, torch::kFloat32);
  const auto* from = last.const_data_ptr<T>();
  auto* to = points.mutable_data_ptr<float>();
  const auto stride = points.stride(0);
  parallel_for(outputs, [&](std::int64_t begin, std::int64_t end) {
    for (auto o = begin; o < end; ++o)
      winograd::transform_weight(from + o * 9 * channels, channels, to + o * channels, stride);
  });
  return points;
}

/// Transforms 36 products [count, O] to tiles first .. first + count of `out` (channels-last).
template <class T>
void transform_outputs(const std::vector<torch::Tensor>& products, const torch::Tensor& bias,
                       const torch::Tensor& summand, const Tiles& tiles, std::int64_t first, torch::Tensor& out) {
  const auto channels = out.size(1), image_size = tiles.height * tiles.width * channels;
  std::array<const float*, kPoints> from;
  std::transform(products.begin(), products.end(), from.begin(),
                 [](const torch::Tensor& product) { return product.const_data_ptr<float>(); });
  const auto* biases = bias.defined() ? bias.const_data_ptr<T>() : nullptr;
  const auto* summands = summand.defined() ? summand.const_data_ptr<T>() : nullptr;
  auto* to = out.mutable_data_ptr<T>();
  const auto count = products.front().size(0);
  parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
    for (auto k = begin; k < end; ++k) {
      const auto tile = first + k;
      const auto offset = tiles.image(tile) * image_size;
      const winograd::Block<T> block{.image = to + offset,
                                     .height = tiles.height,
                                     .width = tiles.width,
                                     .channels = channels,
                                     .top = tiles.top(tile),
                                     .left = tiles.left(tile),
                                     .bias = biases,
                                     .added = summands == nullptr ? nullptr : summands + offset};
      winograd::transform_output(from.data(), k * channels, block);
    }
  });
}

template <class T>
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                       const ConvolutionFusion& fusion) {
  const auto last = [](const torch::Tensor& image) {
    return image.defined() ? image.contiguous(at::MemoryFormat::ChannelsLast) : image;
  };
  const auto input = last(x), added = last(fusion.added);
  const Tiles tiles(x, fusion.upsampling);
  const auto weights = transformed_weight<T>(weight);
  auto out =
      torch::empty({x.size(0), weight.size(0), tiles.height, tiles.width}, x.options(), at::MemoryFormat::ChannelsLast);
  torch::Tensor inputs;
  std::vector<torch::Tensor> products(kPoints);  // [tiles, O]
  for (std::int64_t first = 0; first < tiles.count(); first += kTilesAtOnce) {
    const auto count = std::min(kTilesAtOnce, tiles.count() - first);
    if (!inputs.defined() || inputs.size(1) != count) inputs = winograd::empty_points(count, x.size(1));
    winograd::transform_inputs<T>(input, tiles, first, inputs, fusion);
    for (std::int64_t p = 0; p < kPoints; ++p)
      products[static_cast<std::size_t>(p)] = winograd::product(inputs[p], weights[p]);
    transform_outputs<T>(products, bias, added, tiles, first, out);
  }
  return out;
}

bool has_whole_vectors(const torch::Tensor& weight) {
  return weight.size(0) % lanes::kLane == 0 && weight.size(1) % lanes::kLane == 0;
}

}  // namespace

bool winograd_pays(const torch::Tensor& x, const torch::Tensor& weight, std::int64_t upsampling) {
  if (!is_cpu_inference(x) || weight.scalar_type() != x.scalar_type() || !has_whole_vectors(weight)) return false;
  const auto tiles = Tiles(x, upsampling).count();
  return is_plain_inference(x) ? tiles >= kWorthwhileTiles : !has_amx() && tiles >= kWorthwhileTilesOfBfloat16;
}

bool winograd_pays_in_training(const torch::Tensor& x, const torch::Tensor& weight) {
  return is_float32_training(x) && weight.scalar_type() == torch::kFloat32 && has_whole_vectors(weight) &&
         Tiles(x).count() >= kWorthwhileTiles;
}

torch::Tensor convolve_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                                const ConvolutionFusion& fusion) {
  if (x.scalar_type() == torch::kBFloat16) return convolve<at::BFloat16>(x, weight, bias, fusion);
  return convolve<float>(x, weight, bias, fusion);
}

}  // namespace sfumato
