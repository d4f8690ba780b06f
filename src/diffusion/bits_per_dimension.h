#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "diffusion/process.h"
#include "diffusion/variational_bound.h"

namespace sfumato {

/// Returns a network's raw output for x [N, C, H, W] at timesteps t (int64 [N]).
using TimestepNetwork = std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& t)>;

/// Division of a schedule's timesteps into parts; each part is evaluated once for every image.
struct BoundTimesteps {
  std::vector<std::int64_t> t;  ///< the first timestep of each part
  std::vector<double> weights;  ///< number of timesteps in each part
};

/// Returns parts of one timestep each, 0 to `num_train_timesteps` - 1, if `count` is 0 or as many. Otherwise `count`
/// parts: 0 alone, whose term is the decoder's, and `count` - 1 of the rest, with geometric bounds because the first
/// terms are the largest. Throws std::invalid_argument for a count below 2 or beyond the schedule.
BoundTimesteps bound_timesteps(std::int64_t num_train_timesteps, std::int64_t count = 0);

/// Parts of the bound, averaged over images.
struct BitsPerDimension {
  std::int64_t images = 0;
  double total = 0, prior = 0;  ///< total = sum of weights * terms + prior
  BoundTimesteps timesteps;
  /// For each part of the timesteps: the bound's term, the mean square error of the output's first C channels against
  /// the training target, and that of the (clamped) x0.
  std::vector<double> terms, mse, x0_mse;
};

/// Evaluates the bound of images with noise of `generator` (calc_bpd_loop of the improved DDPM code). In a part with
/// several timesteps, each image draws its own, spread evenly over the images, which keeps the estimate unbiased. `x0`:
/// [N, C, H, W] in [-1, 1] of 8-bit levels, on the network's device.
BitsPerDimension bits_per_dimension(const TimestepNetwork& network, const VariationalBound& bound,
                                    const ForwardProcess& process, PredictionType type, const torch::Tensor& x0,
                                    const BoundTimesteps& timesteps, at::Generator generator);

/// Adds the images of `more`, at the same timesteps, to the means.
void accumulate(BitsPerDimension& mean, const BitsPerDimension& more);

}  // namespace sfumato
