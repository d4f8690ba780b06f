#include "diffusion/self_attention_guidance.h"

#include <stdexcept>

namespace sfumato {
namespace {

constexpr std::int64_t kBlurReach = 4;

torch::Tensor blurred(const torch::Tensor& x) {
  const auto position = torch::arange(-kBlurReach, kBlurReach + 1, x.options());
  const auto density = torch::exp(-0.5 * position.square());  // with std 1
  const auto weights = density / density.sum();
  const auto kernel = torch::outer(weights, weights).unsqueeze(0).unsqueeze(0);  // [1, 1, 9, 9]
  const auto padded = torch::reflection_pad2d(x, {kBlurReach, kBlurReach, kBlurReach, kBlurReach});
  return torch::conv2d(padded.flatten(0, 1).unsqueeze(1), kernel).reshape(x.sizes());  // each channel separately
}

void check_size(const torch::Tensor& x) {
  if (x.size(2) > kBlurReach && x.size(3) > kBlurReach) return;
  throw std::invalid_argument("sag scale: latents of " + std::to_string(x.size(3)) + " x " + std::to_string(x.size(2)) +
                              " pixels are too small for it, expected at least 5 a side");
}

}  // namespace

torch::Tensor blurred_where_attended(const torch::Tensor& x0, const torch::Tensor& received) {
  auto height = x0.size(2), width = x0.size(3);
  while (height * width > received.size(1)) {
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  const auto places = (received > 1).to(x0.scalar_type()).view({x0.size(0), 1, height, width});
  const auto mask = torch::upsample_nearest2d(places, {x0.size(2), x0.size(3)});  // [N, 1, h, w]
  return blurred(x0) * mask + x0 * (1 - mask);
}

torch::Tensor degraded_where_attended(const torch::Tensor& x, const torch::Tensor& output,
                                      const torch::Tensor& received, const Level& level, const Prediction& prediction) {
  check_size(x);
  const auto predicted = estimate(output, x, level, prediction.without_threshold());
  return level.alpha * blurred_where_attended(predicted.x0, received) + level.sigma * predicted.eps;
}

}  // namespace sfumato
