#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sfumato {

/// CPU generator (mt19937) seeded as `torch.Generator().manual_seed(seed)`; it draws the same numbers as Python's.
at::Generator seeded_generator(std::uint64_t seed);

/// Generator whose numbers the noise consists of: one on the CPU, or one on CUDA (core/cuda_noise.h). Both are computed
/// on the CPU.
enum class Rng { cpu, cuda };

/// Parses cpu or cuda. Throws std::invalid_argument.
Rng parse_rng(const std::string& name);

/// Standard normal noise for a batch, with one generator an image, so that an image depends only on its own seed: not
/// on the batch size, the order, the device or the compute dtype. Equals diffusers' `randn_tensor` with a list of CPU
/// generators.
class NoiseSource {
 public:
  explicit NoiseSource(const std::vector<std::uint64_t>& seeds, Rng rng = Rng::cpu);

  /// Draws [N, *shape] float32 on the CPU: one draw of [1, *shape] from the generator of each of the N seeds.
  torch::Tensor draw(at::IntArrayRef shape);

  /// Draws float32 noise of `like`'s shape ([N, ...]) and moves it to its device, without waiting for the device.
  /// It is float32 whatever the dtype of `like`.
  torch::Tensor draw_like(const torch::Tensor& like);

  std::size_t size() const { return generators_.size(); }
  const std::vector<std::uint64_t>& seeds() const { return seeds_; }
  Rng rng() const { return rng_; }

 private:
  /// Draws the next noise of a shape.
  using Generator = std::function<torch::Tensor(at::IntArrayRef)>;
  static Generator generator(std::uint64_t seed, Rng rng);

  std::vector<std::uint64_t> seeds_;
  Rng rng_;
  std::vector<Generator> generators_;
};

}  // namespace sfumato
