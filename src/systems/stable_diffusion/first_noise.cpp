#include "systems/stable_diffusion/first_noise.h"

#include "core/cuda.h"

namespace sfumato {
namespace {

constexpr double kParallel = 0.9995;

torch::Tensor mix_image(double part, const torch::Tensor& low, const torch::Tensor& high) {
  const auto unit = [](const torch::Tensor& x) { return x / x.norm(2, {1}, /*keepdim=*/true); };  // [C, h, w]
  const auto cosine = (unit(low) * unit(high)).sum(1);                                            // [C, w]
  if (cosine.mean().item<double>() > kParallel) return low * part + high * (1 - part);
  const auto angle = torch::acos(cosine), sine = torch::sin(angle);
  return (torch::sin((1 - part) * angle) / sine).unsqueeze(1) * low +
         (torch::sin(part * angle) / sine).unsqueeze(1) * high;
}

NoiseSource noise_from(std::uint64_t seed, std::uint64_t step, const Request& request) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t k = 0; k < request.batch_count; ++k) seeds.push_back(seed + step * static_cast<std::uint64_t>(k));
  return NoiseSource(seeds, parse_rng(request.rng));
}

}  // namespace

NoiseSource noise_of(const Request& request) {
  return noise_from(request.seed, request.subseed_strength > 0 ? 0 : 1, request);
}

torch::Tensor first_noise(const Request& request, NoiseSource& noise, at::IntArrayRef shape) {
  const auto drawn = noise.draw(shape);
  if (request.subseed_strength == 0) return drawn;
  return mix_noise(request.subseed_strength, drawn, noise_from(request.subseed, 1, request).draw(shape));
}

torch::Tensor first_noise_like(const torch::Tensor& latents, const Request& request, NoiseSource& noise) {
  return to_device(first_noise(request, noise, latents.sizes().slice(1)), latents.device());
}

torch::Tensor mix_noise(double part, const torch::Tensor& low, const torch::Tensor& high) {
  std::vector<torch::Tensor> images;
  for (std::int64_t i = 0; i < low.size(0); ++i) images.push_back(mix_image(part, low[i], high[i]));
  return torch::stack(images);
}

}  // namespace sfumato
