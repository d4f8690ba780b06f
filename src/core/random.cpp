#include "core/random.h"

namespace sfumato {

at::Generator seeded_generator(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return generator;
}

NoiseSource::NoiseSource(const std::vector<std::uint64_t>& seeds) {
  generators_.reserve(seeds.size());
  for (const auto seed : seeds) generators_.push_back(seeded_generator(seed));
}

torch::Tensor NoiseSource::draw(at::IntArrayRef shape) {
  std::vector<std::int64_t> one(shape.begin(), shape.end());
  one.insert(one.begin(), 1);
  std::vector<torch::Tensor> draws;
  draws.reserve(generators_.size());
  for (auto& generator : generators_) draws.push_back(torch::randn(one, generator, torch::kFloat32));
  return torch::cat(draws);
}

torch::Tensor NoiseSource::draw_like(const torch::Tensor& like) {
  TORCH_CHECK(like.size(0) == static_cast<std::int64_t>(size()), "a batch of ", like.size(0), " for ", size(),
              " generators");
  return draw(like.sizes().slice(1)).to(like.device());
}

}  // namespace sfumato
