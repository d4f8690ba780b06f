#pragma once

#include <torch/torch.h>

#include <vector>

#include "diffusion/brownian_tree.h"
#include "diffusion/samplers.h"

namespace sfumato {

/// Noise of a sampler's steps: the next draws of the images' generators or, with SamplerOptions::brownian, increments
/// of a Brownian motion of each image's seed along sigma / alpha (k-diffusion's BrownianTreeNoiseSampler).
class StepNoise {
 public:
  /// `args` must outlive it.
  explicit StepNoise(const SampleArgs& args);
  StepNoise(const StepNoise&) = delete;

  /// Returns standard normal noise [N, C, H, W] from a level to a cleaner one, float32, on the latents' device.
  torch::Tensor between(const Level& from, const Level& to);

 private:
  const SampleArgs& args_;
  std::vector<BrownianTree> trees_;  // one for each image, or none
};

}  // namespace sfumato
