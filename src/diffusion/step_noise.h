#pragma once

#include <torch/torch.h>

#include <vector>

#include "diffusion/brownian_tree.h"
#include "diffusion/samplers.h"

namespace sfumato {

/// The noise of a sampler's steps: what the pictures' generators give next or, with SamplerOptions::brownian, what a
/// Brownian motion of each picture's seed gains along sigma / alpha (k-diffusion's BrownianTreeNoiseSampler).
class StepNoise {
 public:
  /// `args` must outlive it.
  explicit StepNoise(const SampleArgs& args);
  StepNoise(const StepNoise&) = delete;

  /// Standard normal [N, C, H, W] for the way from a level to a cleaner one, float32, on the latents' device.
  torch::Tensor between(const Level& from, const Level& to);

 private:
  const SampleArgs& args_;
  std::vector<BrownianTree> trees_;  // one a picture, or none
};

}  // namespace sfumato
