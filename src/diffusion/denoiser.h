#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace sfumato {

/// A noise level of a process x_t = alpha * x0 + sigma * eps, in which nothing but sigma / alpha >= 0 is assumed. `t`
/// is the timestep that the network receives, real-valued.
struct Level {
  double t = 0;
  double alpha = 1;
  double sigma = 0;

  /// The noise scale of the samplers that keep x0 + (sigma / alpha) eps.
  double ratio() const { return sigma / alpha; }
};

/// What the network's output says of x_t: both halves of x_t = alpha x0 + sigma eps, float32, shaped as x_t.
struct Estimate {
  torch::Tensor x0;
  torch::Tensor eps;
  /// Learned-range variance interpolation v in [-1, 1] (Nichol & Dhariwal 2021, eq. 15); undefined without.
  torch::Tensor variance;
};

/// One evaluation of the network during sampling: its noise level and its place in the run. What changes on the way
/// (prompts, ControlNets, the interval of guidance, a refiner) is looked up by `step` or `index`. The level alone would
/// not do: the second half of one of Heun's steps and the first of the next share it.
struct Evaluation {
  Level level;
  std::size_t step = 0;  ///< index into SampleArgs::steps
  std::size_t index =
      0;  ///< count of evaluations before this one, as diffusers' loop over `scheduler.timesteps` has it
};

/// All that a sampler sees of networks, prompts and guidance.
using Denoiser = std::function<Estimate(const torch::Tensor& x, const Evaluation& evaluation)>;

/// Called after each step with its index from 0, the count of steps, and the latents; false ends the sampling.
using OnStep = std::function<bool(int step, int steps, const torch::Tensor& latents)>;

}  // namespace sfumato
