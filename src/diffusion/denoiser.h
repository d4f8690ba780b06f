#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace sfumato {

/// Noise level of a process x_t = alpha * x0 + sigma * eps; the only assumption is sigma / alpha >= 0. `t`
/// is the network's timestep, real-valued.
struct Level {
  double t = 0;
  double alpha = 1;
  double sigma = 0;

  /// Returns the noise scale of samplers that keep x0 + (sigma / alpha) eps.
  double ratio() const { return sigma / alpha; }
};

/// Estimates of both parts of x_t = alpha x0 + sigma eps from the network's output, float32, shaped as x_t.
struct Estimate {
  torch::Tensor x0;
  torch::Tensor eps;
  /// Learned-range variance interpolation v in [-1, 1] (Nichol & Dhariwal 2021, eq. 15); undefined without.
  torch::Tensor variance;
};

/// One evaluation of the network during sampling: its noise level and its index in the run. Values that change in a run
/// (prompts, ControlNets, the interval of guidance, a refiner) are looked up by `step` or `index`. The level is not
/// sufficient: the second half of one of Heun's steps and the first of the next share it.
struct Evaluation {
  Level level;
  std::size_t step = 0;  ///< index into SampleArgs::steps
  std::size_t index =
      0;  ///< number of evaluations before this one in the run, as in diffusers' loop over `scheduler.timesteps`
};

/// Interface of samplers to networks, prompts and guidance.
using Denoiser = std::function<Estimate(const torch::Tensor& x, const Evaluation& evaluation)>;

/// Called after each step with its index from 0, the number of steps, and the latents; false ends the sampling.
using OnStep = std::function<bool(int step, int steps, const torch::Tensor& latents)>;

}  // namespace sfumato
