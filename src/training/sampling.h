#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/guided_denoiser.h"
#include "diffusion/schedule.h"

namespace sfumato {

/// Settings of a sample grid.
struct SampleSettings {
  const Schedule& schedule;
  std::string sampler = "ddim";  ///< a row of samplers()
  std::int64_t steps = 20;
  double eta = 0;             ///< DDIM's
  double guidance_scale = 1;  ///< above 1 only with a negative term
  std::vector<std::uint64_t> seeds;
  std::vector<std::int64_t> shape;  ///< of one sample: {C, H, W}
  torch::Device device = torch::kCPU;
};

/// Draws samples of a network under the terms of guidance, one for each seed: float32 [N, C, H, W].
torch::Tensor draw_samples(Backbone backbone, const GuidanceTerms<Condition>& terms, const SampleSettings& settings);

/// Returns `count` seeds from `seed` on.
std::vector<std::uint64_t> counted_seeds(std::uint64_t seed, std::int64_t count);

}  // namespace sfumato
