#include "core/random.h"

#include <stdexcept>

#include "core/cuda.h"
#include "core/cuda_noise.h"

namespace sfumato {

at::Generator seeded_generator(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return generator;
}

Rng parse_rng(const std::string& name) {
  if (name == "cpu") return Rng::cpu;
  if (name == "cuda") return Rng::cuda;
  throw std::invalid_argument("rng '" + name + "': expected cpu or cuda");
}

NoiseSource::Generator NoiseSource::generator(std::uint64_t seed, Rng rng) {
  if (rng == Rng::cuda) return [noise = CudaNoise(seed)](at::IntArrayRef shape) mutable { return noise.draw(shape); };
  return [generator = seeded_generator(seed)](at::IntArrayRef shape) {
    return torch::randn(shape, generator, torch::kFloat32);
  };
}

NoiseSource::NoiseSource(const std::vector<std::uint64_t>& seeds, Rng rng) : seeds_(seeds), rng_(rng) {
  generators_.reserve(seeds.size());
  for (const auto seed : seeds) generators_.push_back(generator(seed, rng));
}

torch::Tensor NoiseSource::draw(at::IntArrayRef shape) {
  std::vector<std::int64_t> one(shape.begin(), shape.end());
  one.insert(one.begin(), 1);
  std::vector<torch::Tensor> draws;
  draws.reserve(generators_.size());
  for (auto& generator : generators_) draws.push_back(generator(one));
  return torch::cat(draws);
}

torch::Tensor NoiseSource::draw_like(const torch::Tensor& like) {
  TORCH_CHECK(like.size(0) == static_cast<std::int64_t>(size()), "a batch of ", like.size(0), " for ", size(),
              " generators");
  return to_device(draw(like.sizes().slice(1)), like.device());
}

}  // namespace sfumato
