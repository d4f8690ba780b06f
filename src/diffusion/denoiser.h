#pragma once

#include <torch/torch.h>

#include <functional>
#include <optional>
#include <vector>

namespace sfumato {

/// A noise level of the one process x_t = alpha * x0 + sigma * eps. `t` is the training timestep as the network is
/// told it, real-valued.
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

/// A network's raw output [N, C, H, W] (or [N, 2C, H, W] with a learned variance) at x [N, C, H, W], level `level`.
using Network = std::function<torch::Tensor(const torch::Tensor& x, const Level& level)>;

/// All that a sampler sees of networks, prompts and guidance.
using Denoiser = std::function<Estimate(const torch::Tensor& x, const Level& level)>;

/// Called after each step with its index from 0, the count of steps, and the latents; false ends the sampling.
using OnStep = std::function<bool(int step, int steps, const torch::Tensor& latents)>;

}  // namespace sfumato
