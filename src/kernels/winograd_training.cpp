#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "kernels/winograd.h"
#include "kernels/winograd_tiles.h"

namespace sfumato {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using winograd::kOutputs;
using winograd::kPoints;
using winograd::kTilesAtOnce;

/// Weights whose convolution with dy is the gradient of x: [C, O, 3, 3].
torch::Tensor turned(const torch::Tensor& weight) {
  return weight.flip({2, 3}).transpose(0, 1);
}

/// The pixels of dy [N, O, H, W] by their place in a tile: [kOutputs * kOutputs, O, tiles], zero outside the image.
torch::Tensor pixels_by_place(const torch::Tensor& dy, const winograd::Tiles& tiles) {
  const auto below = tiles.rows * kOutputs - dy.size(2), right = tiles.columns * kOutputs - dy.size(3);
  const auto padded = below + right > 0 ? torch::constant_pad_nd(dy, {0, right, 0, below}) : dy;
  return padded.reshape({dy.size(0), dy.size(1), tiles.rows, kOutputs, tiles.columns, kOutputs})
      .permute({3, 5, 1, 0, 2, 4})
      .reshape({kOutputs * kOutputs, dy.size(1), tiles.count()});
}

/// Transforms tiles first .. first + count of pixels_by_place to points [36, O, count].
void transform_output_gradients(const torch::Tensor& pixels, std::int64_t first, torch::Tensor& points) {
  const auto count = points.size(2), tiles = pixels.size(2);
  const auto* from = pixels.const_data_ptr<float>();
  auto* to = points.mutable_data_ptr<float>();
  parallel_for(points.size(1), [&](std::int64_t begin, std::int64_t end) {
    for (auto o = begin; o < end; ++o)
      winograd::transform_output_gradient({from + o * tiles + first, pixels.stride(0)}, count, to + o * count,
                                          points.stride(0));
  });
}

/// Transforms sums over tiles, 36 matrices [O, C], to the gradient of the weights: [O, C, 3, 3], channels-last.
torch::Tensor transform_weight_gradients(const std::vector<torch::Tensor>& sums) {
  const auto outputs = sums.front().size(0), channels = sums.front().size(1);
  auto gradient = torch::empty({outputs, channels, 3, 3}, torch::kFloat32, at::MemoryFormat::ChannelsLast);
  std::array<const float*, kPoints> from;
  std::transform(sums.begin(), sums.end(), from.begin(),
                 [](const torch::Tensor& sum) { return sum.const_data_ptr<float>(); });
  auto* to = gradient.mutable_data_ptr<float>();
  parallel_for(outputs, [&](std::int64_t begin, std::int64_t end) {
    for (auto o = begin; o < end; ++o)
      winograd::transform_weight_gradient(from.data(), o * channels, channels, to + o * 9 * channels);
  });
  return gradient;
}

/// Gradient of the weights. With y = A^T [(G g G^T) . (B^T d B)] A of each tile, that of g is
/// G^T [sum over tiles of (A dy A^T) . (B^T d B)] G.
torch::Tensor weight_gradient(const torch::Tensor& x, const torch::Tensor& dy) {
  const winograd::Tiles tiles(x);
  const auto pixels = pixels_by_place(dy, tiles);
  std::vector<torch::Tensor> sums(kPoints);  // [O, C]
  for (std::int64_t first = 0; first < tiles.count(); first += kTilesAtOnce) {
    const auto count = std::min(kTilesAtOnce, tiles.count() - first);
    auto inputs = winograd::empty_points(count, x.size(1)), outputs = winograd::empty_points(dy.size(1), count);
    winograd::transform_inputs<float>(x, tiles, first, inputs);
    transform_output_gradients(pixels, first, outputs);
    for (std::int64_t p = 0; p < kPoints; ++p) {
      const auto sum = winograd::product(outputs[p], inputs[p].t());
      auto& total = sums[static_cast<std::size_t>(p)];
      total = total.defined() ? total.add_(sum) : sum;
    }
  }
  return transform_weight_gradients(sums);
}

class TrainableWinograd : public torch::autograd::Function<TrainableWinograd> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const std::optional<torch::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    return convolve_winograd(x, weight, bias.value_or(torch::Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    TORCH_CHECK(!torch::GradMode::is_enabled(), "Winograd convolutions have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto dy = outputs[0].contiguous(at::MemoryFormat::ChannelsLast);
    variable_list gradients(3);
    if (context->needs_input_grad(0)) gradients[0] = convolve_winograd(dy, turned(weight), {});
    if (context->needs_input_grad(1)) gradients[1] = weight_gradient(x, dy);
    if (context->saved_data["bias"].toBool()) gradients[2] = dy.sum({0, 2, 3});
    return gradients;
  }
};

}  // namespace

torch::Tensor trainable_winograd(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias) {
  return TrainableWinograd::apply(x.contiguous(at::MemoryFormat::ChannelsLast), weight,
                                  bias.defined() ? std::optional(bias) : std::nullopt);
}

}  // namespace sfumato
