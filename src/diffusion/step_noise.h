#pragma once

#include <torch/torch.h>

#include <map>
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
  const torch::Tensor& path_at(double ratio);

  const SampleArgs& args_;
  std::vector<BrownianTree> trees_;        // one a picture, or none
  std::map<double, torch::Tensor> known_;  // where a sampler can still ask: not above the level it last came from
};

}  // namespace sfumato
