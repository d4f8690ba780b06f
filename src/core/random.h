#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace sfumato {

/// A CPU generator (mt19937) seeded like `torch.Generator().manual_seed(seed)`: it gives the numbers Python's gives.
at::Generator seeded_generator(std::uint64_t seed);

/// Whose numbers noise is made of: those of a generator on the CPU, or of one on CUDA (core/cuda_noise.h). Both are
/// computed on the CPU.
enum class Rng { cpu, cuda };

/// cpu or cuda. Throws std::invalid_argument.
Rng parse_rng(const std::string& name);

/// Standard normal noise for a batch, one generator an image, so that an image depends on its own seed alone: not on
/// the batch size, the order, the device or the compute dtype. The same as diffusers' `randn_tensor` with a list of
/// CPU generators.
class NoiseSource {
 public:
  explicit NoiseSource(const std::vector<std::uint64_t>& seeds, Rng rng = Rng::cpu);

  /// Draws [N, *shape] float32 on the CPU, N the number of seeds, one draw of [1, *shape] from each generator.
  torch::Tensor draw(at::IntArrayRef shape);

  /// Draws as `like` ([N, ...]) is shaped and moves the noise to its device, for which the host does not wait;
  /// always float32.
  torch::Tensor draw_like(const torch::Tensor& like);

  std::size_t size() const { return generators_.size(); }
  const std::vector<std::uint64_t>& seeds() const { return seeds_; }
  Rng rng() const { return rng_; }

 private:
  /// The next noise of a shape.
  using Generator = std::function<torch::Tensor(at::IntArrayRef)>;
  static Generator generator(std::uint64_t seed, Rng rng);

  std::vector<std::uint64_t> seeds_;
  Rng rng_;
  std::vector<Generator> generators_;
};

}  // namespace sfumato
