#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/schedule.h"

namespace sfumato {

/// What a sample grid is drawn with.
struct SampleSettings {
  const Schedule& schedule;
  std::string sampler = "ddim";  ///< a row of samplers()
  std::int64_t steps = 20;
  double eta = 0;  ///< DDIM's
  std::vector<std::uint64_t> seeds;
  std::vector<std::int64_t> shape;  ///< of one sample: {C, H, W}
  torch::Device device = torch::kCPU;
};

/// Samples of a network, guided already, one a seed: float32 [N, C, H, W]. The only place where training uses samplers.
torch::Tensor draw_samples(Network network, const SampleSettings& settings);

/// `count` seeds from `seed` on.
std::vector<std::uint64_t> counted_seeds(std::uint64_t seed, std::int64_t count);

}  // namespace sfumato
