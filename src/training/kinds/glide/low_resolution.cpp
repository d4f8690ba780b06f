#include "training/kinds/glide/low_resolution.h"

#include <cmath>

namespace sfumato {
namespace {

/// Random numbers of [low, high), float32 [N, 1, 1, 1].
torch::Tensor uniform(double low, double high, std::int64_t count, at::Generator& generator) {
  return low + (high - low) * torch::rand({count, 1, 1, 1}, generator, torch::kFloat32);
}

/// Blurs image n with a Gaussian of standard deviation sigma[n] pixels, cut off at three times the largest; edges are
/// repeated outwards. sigma is [N, 1, 1, 1].
torch::Tensor blurred(torch::Tensor images, const torch::Tensor& sigma, double largest) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * largest));
  std::vector<torch::Tensor> weights;
  auto sum = torch::zeros_like(sigma);
  for (std::int64_t k = -radius; k <= radius; ++k) {
    weights.push_back(torch::exp(-static_cast<double>(k * k) / (2 * sigma * sigma)));
    sum = sum + weights.back();
  }
  for (const std::int64_t dim : {2, 3}) {
    const auto size = images.size(dim);
    auto result = torch::zeros_like(images);
    for (std::int64_t k = -radius; k <= radius; ++k) {
      const auto from = (torch::arange(size, images.device()) + k).clamp(0, size - 1);
      result = result + weights[static_cast<std::size_t>(k + radius)] / sum * images.index_select(dim, from);
    }
    images = result;
  }
  return images;
}

}  // namespace

torch::Tensor at_low_resolution(const torch::Tensor& x0, std::int64_t side) {
  const auto small = torch::adaptive_avg_pool2d(x0, {side, side});
  return ((small.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1;
}

torch::Tensor augmented(torch::Tensor images, const LowResAugmentation& augmentation, at::Generator& generator) {
  const auto count = images.size(0);
  if (augmentation.blur_probability > 0) {
    const auto sigma = uniform(augmentation.blur_sigma[0], augmentation.blur_sigma[1], count, generator);
    const auto chosen = uniform(0, 1, count, generator) < augmentation.blur_probability;
    images = torch::where(chosen.to(images.device()),
                          blurred(images, sigma.to(images.device()), augmentation.blur_sigma[1]), images);
  }
  if (augmentation.noise > 0) {
    const auto std_dev = uniform(0, augmentation.noise, count, generator);
    const auto noise = torch::randn(images.sizes(), generator, torch::kFloat32);
    images = images + (std_dev * noise).to(images.device());
  }
  return images;
}

}  // namespace sfumato
